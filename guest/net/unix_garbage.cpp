// Sockets in flight that nobody can receive any more. Linux counterpart: net/unix/garbage.c.
//
// A socket can be reached if its file is open somewhere, that is, has more users than messages that carry it; or if it
// is carried by a message to one that can be reached. What is left is garbage: its queue is emptied. A connection that
// was not accepted yet counts as reachable.
#include <map>
#include <set>
#include <vector>

#include "guest/ipc/ipc.hpp"
#include "guest/net/socket_file.hpp"

namespace fl::guest {

void collect_unix_garbage(Ipc& ipc) {
  if (ipc.collecting_) {
    return;
  }
  // How often each socket's file is in flight, and who is carried in whose queue.
  std::map<UnixSocket*, long> in_flight, users;
  std::map<UnixSocket*, std::vector<UnixSocket*>> carried;
  for (UnixSocket& socket : ipc.unix_sockets) {
    for (const SocketBuffer& buffer : socket.queue_) {
      if (!buffer.files) {
        continue;
      }
      for (const std::shared_ptr<OpenFile>& file : *buffer.files) {
        if (auto* const passed = dynamic_cast<SocketFile*>(file.get()); passed != nullptr) {
          ++in_flight[&passed->socket()];
          users[&passed->socket()] = file.use_count();
          carried[&socket].push_back(&passed->socket());
        }
      }
    }
  }
  if (in_flight.empty()) {
    return;
  }
  std::set<UnixSocket*> reached;
  std::vector<UnixSocket*> next;
  const auto reach = [&](UnixSocket* socket) {
    if (reached.insert(socket).second) {
      next.push_back(socket);
    }
  };
  for (UnixSocket& socket : ipc.unix_sockets) {
    const auto found = in_flight.find(&socket);
    if (found == in_flight.end() || users[&socket] > found->second) {
      reach(&socket);
    }
  }
  while (!next.empty()) {
    UnixSocket* const from = next.back();
    next.pop_back();
    for (UnixSocket* const socket : carried[from]) {
      reach(socket);
    }
  }
  std::vector<std::shared_ptr<UnixSocket>> garbage;
  for (const auto& [socket, count] : in_flight) {
    if (!reached.contains(socket)) {
      garbage.push_back(socket->shared_from_this());
    }
  }
  // Emptying one closes others; nothing more has to be found meanwhile.
  ipc.collecting_ = true;
  for (const std::shared_ptr<UnixSocket>& socket : garbage) {
    socket->drop_queue();
  }
  ipc.collecting_ = false;
}

}  // namespace fl::guest

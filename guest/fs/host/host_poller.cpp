// See host_poller.hpp.
#include "guest/fs/host/host_poller.hpp"

#include <poll.h>

#include <algorithm>
#include <vector>

namespace fl::guest {

bool HostPoller::anybody_waits() const {
  return std::any_of(sources_.begin(), sources_.end(), [](const Source& source) { return source.awaited(); });
}

bool HostPoller::look(int timeout_ms) {
  std::vector<pollfd> request;
  for (const Source& source : sources_) {
    if (source.awaited()) {
      request.push_back({source.fd, source.events, 0});
    }
  }
  if (::poll(request.data(), request.size(), timeout_ms) <= 0) {
    return false;
  }
  for (Source& source : sources_) {
    const auto found = std::find_if(request.begin(), request.end(),
                                    [&](const pollfd& each) { return each.fd == source.fd && each.revents != 0; });
    if (source.awaited() && found != request.end()) {
      source.events = 0;
      source.waiting.wake_all();
    }
  }
  return true;
}

}  // namespace fl::guest

// Generic netlink by hand: three messages are not worth a library. See task_exits.hpp.
#include "emu/record/task_exits.hpp"

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/taskstats.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>

namespace fl::emu {
namespace {

constexpr int kReceiveBuffer = 8 << 20;  // some thousands of exits
constexpr size_t kMostMessage = 64u << 10;

template <typename T>
std::optional<T> read_at(std::span<const std::byte> bytes, size_t offset) {
  T value{};
  if (bytes.size() < sizeof value || offset > bytes.size() - sizeof value) {
    return std::nullopt;
  }
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

// The attributes of a message, one after the other.
struct Attribute {
  uint16_t type = 0;
  std::span<const std::byte> payload;
};
std::optional<Attribute> next_attribute(std::span<const std::byte>& rest) {
  const auto header = read_at<nlattr>(rest, 0);
  if (!header || header->nla_len < NLA_HDRLEN || header->nla_len > rest.size()) {
    return std::nullopt;
  }
  const Attribute attribute{static_cast<uint16_t>(header->nla_type & NLA_TYPE_MASK),
                            rest.subspan(NLA_HDRLEN, header->nla_len - NLA_HDRLEN)};
  rest = rest.subspan(std::min<size_t>(NLA_ALIGN(header->nla_len), rest.size()));
  return attribute;
}
std::optional<std::span<const std::byte>> find_attribute(std::span<const std::byte> rest, uint16_t type) {
  while (const auto attribute = next_attribute(rest)) {
    if (attribute->type == type) {
      return attribute->payload;
    }
  }
  return std::nullopt;
}

// Sends one command with one attribute.
bool send_command(const UniqueFd& socket, uint16_t family, uint8_t command, uint16_t type, std::string_view value,
                  size_t terminator) {
  std::array<std::byte, 256> message{};
  nlmsghdr header{};
  genlmsghdr generic{};
  nlattr attribute{};
  attribute.nla_type = type;
  attribute.nla_len = static_cast<uint16_t>(NLA_HDRLEN + value.size() + terminator);
  generic.cmd = command;
  generic.version = 1;
  header.nlmsg_type = family;
  header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  header.nlmsg_len = static_cast<uint32_t>(NLMSG_LENGTH(GENL_HDRLEN) + NLA_ALIGN(attribute.nla_len));
  if (header.nlmsg_len > message.size()) {
    return false;
  }
  std::memcpy(message.data(), &header, sizeof header);
  std::memcpy(message.data() + NLMSG_HDRLEN, &generic, sizeof generic);
  std::memcpy(message.data() + NLMSG_LENGTH(GENL_HDRLEN), &attribute, sizeof attribute);
  std::memcpy(message.data() + NLMSG_LENGTH(GENL_HDRLEN) + NLA_HDRLEN, value.data(), value.size());
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  return ::sendto(socket.get(), message.data(), header.nlmsg_len, 0, reinterpret_cast<const sockaddr*>(&kernel),
                  sizeof kernel) == static_cast<ssize_t>(header.nlmsg_len);
}

// What follows the header of the next message of this type; none for an error or anything else.
std::optional<std::vector<std::byte>> receive(const UniqueFd& socket, uint16_t type) {
  std::vector<std::byte> buffer(kMostMessage);
  const ssize_t n = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
  const auto header = read_at<nlmsghdr>(std::span(buffer).first(n > 0 ? static_cast<size_t>(n) : 0), 0);
  if (!header || header->nlmsg_type != type || header->nlmsg_len < NLMSG_HDRLEN || header->nlmsg_len > buffer.size()) {
    return std::nullopt;
  }
  return std::vector<std::byte>(buffer.begin() + NLMSG_HDRLEN, buffer.begin() + header->nlmsg_len);
}
bool acknowledged(const UniqueFd& socket) {
  const auto answer = receive(socket, NLMSG_ERROR);
  const auto error = answer ? read_at<int32_t>(*answer, 0) : std::nullopt;
  return error == 0;
}

std::optional<uint16_t> find_family(const UniqueFd& socket) {
  if (!send_command(socket, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_NAME, TASKSTATS_GENL_NAME, 1)) {
    return std::nullopt;
  }
  const auto answer = receive(socket, GENL_ID_CTRL);
  if (!answer || answer->size() < GENL_HDRLEN || !acknowledged(socket)) {
    return std::nullopt;
  }
  const auto id = find_attribute(std::span(*answer).subspan(GENL_HDRLEN), CTRL_ATTR_FAMILY_ID);
  return id ? read_at<uint16_t>(*id, 0) : std::nullopt;
}

}  // namespace

std::optional<TaskExits> TaskExits::open() {
  UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC));
  sockaddr_nl own{};
  own.nl_family = AF_NETLINK;
  if (!socket.open() || ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0) {
    return std::nullopt;
  }
  const timeval patience{1, 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer, sizeof kReceiveBuffer);
  const auto family = find_family(socket);
  const std::string processors = "0-" + std::to_string(std::max(::sysconf(_SC_NPROCESSORS_CONF), 1L) - 1);
  if (!family ||
      !send_command(socket, *family, TASKSTATS_CMD_GET, TASKSTATS_CMD_ATTR_REGISTER_CPUMASK, processors, 1)) {
    return std::nullopt;
  }
  // Exits may come before the answer: nobody asked for those yet.
  std::vector<std::byte> buffer(kMostMessage);
  while (true) {
    const ssize_t n = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
    if (n <= 0) {
      return std::nullopt;
    }
    const auto bytes = std::span(buffer).first(static_cast<size_t>(n));
    const auto header = read_at<nlmsghdr>(bytes, 0);
    if (header && header->nlmsg_type == NLMSG_ERROR) {
      const auto error = read_at<int32_t>(bytes, NLMSG_HDRLEN);
      return error == 0 ? std::optional<TaskExits>(TaskExits(std::move(socket))) : std::nullopt;
    }
  }
}

bool TaskExits::drain(std::vector<TaskExit>& out) {
  std::vector<std::byte> buffer(kMostMessage);
  while (true) {
    const ssize_t n = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (n > 0) {
      complete_ = parse_task_exits(std::span(buffer).first(static_cast<size_t>(n)), out) && complete_;
    } else if (n == 0 || errno == EAGAIN) {
      return complete_;
    } else if (errno == ENOBUFS) {
      complete_ = false;
    } else if (errno != EINTR) {
      return complete_ = false;
    }
  }
}

bool parse_task_exits(std::span<const std::byte> message, std::vector<TaskExit>& out) {
  while (!message.empty()) {
    const auto header = read_at<nlmsghdr>(message, 0);
    if (!header || header->nlmsg_type == NLMSG_ERROR || header->nlmsg_len > message.size() ||
        header->nlmsg_len < NLMSG_LENGTH(GENL_HDRLEN)) {
      return false;
    }
    auto attributes = message.subspan(NLMSG_LENGTH(GENL_HDRLEN), header->nlmsg_len - NLMSG_LENGTH(GENL_HDRLEN));
    message = message.subspan(std::min<size_t>(NLMSG_ALIGN(header->nlmsg_len), message.size()));
    // The sums of a group of several threads come in the same message; the tasks are all that we want.
    const auto task = find_attribute(attributes, TASKSTATS_TYPE_AGGR_PID);
    const auto stats = task ? find_attribute(*task, TASKSTATS_TYPE_STATS) : std::nullopt;
    if (!stats) {
      continue;
    }
    const auto tid = read_at<uint32_t>(*stats, offsetof(taskstats, ac_pid));
    const auto status = read_at<uint32_t>(*stats, offsetof(taskstats, ac_exitcode));
    const auto minflt = read_at<uint64_t>(*stats, offsetof(taskstats, ac_minflt));
    const auto majflt = read_at<uint64_t>(*stats, offsetof(taskstats, ac_majflt));
    if (!tid || !status || !minflt || !majflt) {
      return false;
    }
    out.push_back({.tid = *tid, .wait_status = *status, .minflt = *minflt, .majflt = *majflt});
  }
  return true;
}

}  // namespace fl::emu

// The messages of the kernel's task accounting: what is whole is read, what is damaged is not believed.
#include "emu/record/task_exits.hpp"

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/taskstats.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cstring>

namespace fl::emu {
namespace {

using Bytes = std::vector<std::byte>;

Bytes bytes_of(const void* data, size_t size) {
  Bytes bytes(size);
  std::memcpy(bytes.data(), data, size);
  return bytes;
}
Bytes attribute(uint16_t type, Bytes payload) {
  nlattr header{};
  header.nla_len = static_cast<uint16_t>(NLA_HDRLEN + payload.size());
  header.nla_type = type;
  Bytes result = bytes_of(&header, sizeof header);
  result.insert(result.end(), payload.begin(), payload.end());
  result.resize(NLA_ALIGN(result.size()));
  return result;
}
Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}
Bytes stats_of(uint32_t tid, uint64_t minflt, uint32_t status) {
  taskstats stats{};
  stats.ac_pid = tid;
  stats.ac_minflt = minflt;
  stats.ac_majflt = 2;
  stats.ac_exitcode = status;
  return attribute(TASKSTATS_TYPE_PID, bytes_of(&tid, sizeof tid)) +
         attribute(TASKSTATS_TYPE_STATS, bytes_of(&stats, sizeof stats));
}
Bytes message(uint16_t type, const Bytes& attributes) {
  nlmsghdr header{};
  header.nlmsg_len = static_cast<uint32_t>(NLMSG_LENGTH(GENL_HDRLEN) + attributes.size());
  header.nlmsg_type = type;
  genlmsghdr generic{};
  return bytes_of(&header, sizeof header) + bytes_of(&generic, sizeof generic) + attributes;
}
constexpr uint16_t kFamily = 31;

}  // namespace

TEST_CASE("task exits: each task of a message, not the sums of its group") {
  const Bytes two = message(kFamily, attribute(TASKSTATS_TYPE_AGGR_PID, stats_of(10, 24, 3 << 8)) +
                                         attribute(TASKSTATS_TYPE_AGGR_TGID, stats_of(10, 99, 0)));
  std::vector<TaskExit> exits;
  REQUIRE(parse_task_exits(two + message(kFamily, attribute(TASKSTATS_TYPE_AGGR_PID, stats_of(11, 5, 0))), exits));
  REQUIRE(exits.size() == 2);
  CHECK(exits[0].tid == 10);
  CHECK(exits[0].minflt == 24);
  CHECK(exits[0].majflt == 2);
  CHECK(exits[0].wait_status == 3 << 8);
  CHECK(exits[1].tid == 11);
}

TEST_CASE("task exits: what is cut off or an error is not believed") {
  const Bytes whole = message(kFamily, attribute(TASKSTATS_TYPE_AGGR_PID, stats_of(10, 24, 0)));
  std::vector<TaskExit> exits;
  for (size_t size = 1; size < whole.size(); ++size) {
    CHECK_FALSE(parse_task_exits(std::span(whole).first(size), exits));
  }
  const int32_t error = -105;
  CHECK_FALSE(parse_task_exits(message(NLMSG_ERROR, bytes_of(&error, sizeof error)), exits));
  CHECK(exits.empty());
  // A length that lies about what is inside.
  Bytes lying = whole;
  const uint32_t more = static_cast<uint32_t>(whole.size()) + 4;
  std::memcpy(lying.data(), &more, sizeof more);
  CHECK_FALSE(parse_task_exits(lying, exits));
}

TEST_CASE("task exits: this kernel tells of a child's end, or does not tell at all") {
  auto exits = TaskExits::open();
  if (!exits) {
    SKIP("no task accounting here: it needs CAP_NET_ADMIN and CONFIG_TASKSTATS");
  }
  const pid_t pid = fork();
  if (pid == 0) {
    _exit(5);
  }
  int status = 0;
  REQUIRE(waitpid(pid, &status, 0) == pid);
  std::vector<TaskExit> seen;
  REQUIRE(exits->drain(seen));
  const auto child = std::find_if(seen.begin(), seen.end(),
                                  [pid](const TaskExit& one) { return one.tid == static_cast<uint32_t>(pid); });
  REQUIRE(child != seen.end());
  CHECK(child->wait_status == 5 << 8);
  CHECK(child->minflt > 0);
}

}  // namespace fl::emu

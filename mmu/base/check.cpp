// The end of the road for a broken invariant: say which, dump the machine, abort.
#include "mmu/base/check.hpp"

#include <fmt/core.h>

#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <utility>

namespace fl {
namespace {

// The one mutable global: check_failed has no argument through which an owner could reach it.
CheckDumper* innermost_dumper = nullptr;
std::mutex dumpers_mutex;

}  // namespace

CheckDumper::CheckDumper(std::function<void()> dump) : dump_(std::move(dump)) {
  const std::lock_guard lock(dumpers_mutex);
  outer_ = std::exchange(innermost_dumper, this);
}

CheckDumper::~CheckDumper() {
  const std::lock_guard lock(dumpers_mutex);
  CheckDumper** place = &innermost_dumper;
  while (*place != nullptr && *place != this) {
    place = &(*place)->outer_;
  }
  // Not there: a check has failed, and we are on the way out.
  if (*place == this) {
    *place = outer_;
  }
}

void check_failed(const char* expression, const char* file, int line, const std::string& message) {
  fmt::print(stderr, "faultline: internal error: {}:{}: {}{}{}\n", file, line, expression, message.empty() ? "" : ": ",
             message);
  // A dumper that fails a check itself must not be called again. No lock: whoever has it may be us.
  for (CheckDumper* dumper = std::exchange(innermost_dumper, nullptr); dumper != nullptr; dumper = dumper->outer_) {
    dumper->dump_();
  }
  std::fflush(stderr);
  std::abort();
}

}  // namespace fl

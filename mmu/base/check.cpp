// The end of the road for a broken invariant: say which, dump the machine, abort.
#include "mmu/base/check.hpp"

#include <fmt/core.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

namespace fl {
namespace {

// The one mutable global: check_failed has no argument through which an owner could reach it.
thread_local CheckDumper* innermost_dumper = nullptr;

}  // namespace

CheckDumper::CheckDumper(std::function<void()> dump) : dump_(std::move(dump)), outer_(innermost_dumper) {
  innermost_dumper = this;
}

CheckDumper::~CheckDumper() { innermost_dumper = outer_; }

void check_failed(const char* expression, const char* file, int line, const std::string& message) {
  fmt::print(stderr, "faultline: internal error: {}:{}: {}{}{}\n", file, line, expression, message.empty() ? "" : ": ",
             message);
  // A dumper that fails a check itself must not be called again.
  for (CheckDumper* dumper = std::exchange(innermost_dumper, nullptr); dumper != nullptr; dumper = dumper->outer_) {
    dumper->dump_();
  }
  std::fflush(stderr);
  std::abort();
}

}  // namespace fl

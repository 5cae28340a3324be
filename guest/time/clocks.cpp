// VirtualClock and HostClock.
#include "guest/time/clocks.hpp"

#include <cerrno>
#include <ctime>

namespace fl::guest {

void VirtualClock::sleep_until(uint64_t deadline_ns) {
  const uint64_t now = now_ns();
  if (deadline_ns > now) {
    slept_ns_ += deadline_ns - now;
  }
}

HostClock::HostClock()
    : start_(std::chrono::steady_clock::now()),
      wall_start_ns_(static_cast<uint64_t>(
          std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
              .count())) {}

uint64_t HostClock::now_ns() const {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - start_).count());
}

void HostClock::sleep_until(uint64_t deadline_ns) {
  const uint64_t now = now_ns();
  if (deadline_ns <= now) {
    return;
  }
  const uint64_t left = deadline_ns - now;
  const timespec wait{static_cast<time_t>(left / kNsPerSecond), static_cast<long>(left % kNsPerSecond)};
  // One try: a host signal (Ctrl-C, --timeout) must reach the run loop, which asks again if the machine goes
  // on.
  ::nanosleep(&wait, nullptr);
  slept_ns_ += now_ns() - now;
}

}  // namespace fl::guest

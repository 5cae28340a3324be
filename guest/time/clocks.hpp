// The two TimeSources: virtual time, the same in every run, and the host's.
#pragma once

#include <chrono>
#include <cstdint>

#include "guest/time/time_source.hpp"

namespace fl::guest {

// Virtual time: advances with executed blocks and with sleeps only (--clock virtual).
class VirtualClock final : public TimeSource {
 public:
  // What one executed block counts for. About what an emulated block takes, so that loops which wait for a
  // time end.
  static constexpr uint64_t kNsPerBlock = 10;
  // 2024-01-01 00:00:00 UTC: what the clock of the wall shows at boot.
  static constexpr uint64_t kWallStartNs = 1'704'067'200 * kNsPerSecond;

  // `work` must outlive the clock.
  explicit VirtualClock(const WorkCounter& work) : work_(work) {}
  uint64_t now_ns() const override { return cpu_ns() + slept_ns_; }
  uint64_t cpu_ns() const override { return work_.executed_blocks() * kNsPerBlock; }
  uint64_t wall_start_ns() const override { return kWallStartNs; }
  void sleep_until(uint64_t deadline_ns) override;

 private:
  const WorkCounter& work_;
  uint64_t slept_ns_ = 0;
};

// The host's time (--clock host): runs differ.
class HostClock final : public TimeSource {
 public:
  HostClock();
  uint64_t now_ns() const override;
  uint64_t cpu_ns() const override { return now_ns() - slept_ns_; }
  uint64_t wall_start_ns() const override { return wall_start_ns_; }
  void sleep_until(uint64_t deadline_ns) override;

 private:
  std::chrono::steady_clock::time_point start_;
  uint64_t wall_start_ns_;
  uint64_t slept_ns_ = 0;
};

}  // namespace fl::guest

// init_clock_page, update_coarse_clock. See coarse_clock.hpp.
//
// The machine's kernel never runs at the same time as the program, but a program may be stopped inside a vDSO function:
// it has read half of the page and must see by `seq` that the rest has changed.
#include "guest/time/coarse_clock.hpp"

#include <cstring>

#include "loaders/vdso/vvar.hpp"

namespace fl::guest {
namespace {

loaders::VvarPage load(std::span<const std::byte> page) {
  loaders::VvarPage data;
  std::memcpy(&data, page.data(), sizeof data);
  return data;
}

void set_coarse(const TimeSource& time, uint64_t tick_ns, loaders::VvarPage& data) {
  const uint64_t real_ns = time.wall_start_ns() + tick_ns;
  data.coarse_real_sec = static_cast<int64_t>(real_ns / kNsPerSecond);
  data.coarse_real_nsec = static_cast<uint32_t>(real_ns % kNsPerSecond);
  data.coarse_mono_sec = static_cast<int64_t>(tick_ns / kNsPerSecond);
  data.coarse_mono_nsec = static_cast<uint32_t>(tick_ns % kNsPerSecond);
}

}  // namespace

void init_clock_page(const TimeSource& time, std::span<std::byte> page) {
  loaders::VvarPage data{};
  data.clock_mode = FL_VVAR_CLOCK_TSC;
  data.tsc_base = 0;  // RDTSC reads now_ns
  data.wall_sec = static_cast<int64_t>(time.wall_start_ns() / kNsPerSecond);
  data.wall_nsec = static_cast<uint32_t>(time.wall_start_ns() % kNsPerSecond);
  data.fine_res_nsec = 1;
  data.coarse_res_nsec = static_cast<uint32_t>(kTickNs);
  set_coarse(time, 0, data);
  std::memcpy(page.data(), &data, sizeof data);
}

uint64_t update_coarse_clock(const TimeSource& time, std::span<std::byte> page) {
  const uint64_t tick_ns = time.now_ns() / kTickNs * kTickNs;
  loaders::VvarPage data = load(page);
  data.seq += 2;
  set_coarse(time, tick_ns, data);
  std::memcpy(page.data(), &data, sizeof data);
  return tick_ns + kTickNs;
}

}  // namespace fl::guest

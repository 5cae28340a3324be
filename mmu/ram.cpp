// The host mapping behind simulated RAM.
#include "mmu/ram.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace fl::mmu {
namespace {
constexpr uint32_t kMaxFrames = 1u << 20;
}

Result<Ram> Ram::create(uint32_t frames, uint32_t low_frames) {
  if (frames == 0 || frames > kMaxFrames || low_frames == 0) {
    return fail(Errno::kEINVAL);
  }
  void* data = mmap(nullptr, uint64_t{frames} << kPageShift, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (data == MAP_FAILED) {
    return fail(errno_from_host(errno));
  }
  // A guest's first touch of a frame should not cost a host page fault each. Only advice: an error changes nothing.
  static_cast<void>(madvise(data, uint64_t{frames} << kPageShift, MADV_HUGEPAGE));
  return Ram(static_cast<std::byte*>(data), frames, std::min({frames, low_frames, kLowMemoryLimit >> kPageShift}));
}

Ram::Ram(Ram&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), frames_(other.frames_), low_frames_(other.low_frames_) {}

Ram::~Ram() {
  if (data_ != nullptr) {
    munmap(data_, bytes());
  }
}

}  // namespace fl::mmu

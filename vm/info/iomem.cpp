// iomem: what the firmware said of physical memory, and where the kernel lies in it. Linux: e820__reserve_resources,
// setup_arch. As root sees it; anybody else would see zeros for addresses.
#include <fmt/format.h>

#include <iterator>

#include "vm/info/memory_reports.hpp"
#include "vm/memory_system.hpp"

namespace fl::vm {

std::string format_iomem(MemorySystem& memory) {
  const BootMemory& boot = memory.boot_memory();
  const uint64_t image = PhysAddr(boot.image().start()).value();
  const uint64_t image_end = image + uint64_t{KernelImage::kFrames} * kPageSize;
  std::string text;
  for (const E820Entry& entry : boot.e820().entries()) {
    const bool usable = entry.type == E820Type::kUsable;
    fmt::format_to(std::back_inserter(text), "{:08x}-{:08x} : {}\n", entry.start, entry.end - 1,
                   usable ? "System RAM" : "Reserved");
    if (usable && entry.start <= image && image_end <= entry.end) {
      // swapper_pg_dir and empty_zero_page, both of .bss.
      fmt::format_to(std::back_inserter(text), "  {:08x}-{:08x} : Kernel bss\n", image, image_end - 1);
    }
  }
  return text;
}

}  // namespace fl::vm

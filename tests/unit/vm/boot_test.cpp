// Booting: where everything is put, on machines of all sizes, and what the boot log says.
#include <catch2/catch_test_macros.hpp>

#include "tests/unit/vm/vm_machine.hpp"
#include "vm/boot/boot_memory.hpp"

namespace fl::vm::test {
namespace {

// Memory booted without address spaces.
struct Booted {
  mmu::Ram ram;
  mmu::Mmu mmu{ram, mmu::NoExecute::kUnsupported};
  RecordingTlb tlb;
  std::unique_ptr<MemorySystem> memory;

  explicit Booted(uint32_t frames, const BootOptions& options = {})
      : ram(*mmu::Ram::create(frames)),
        memory(*MemorySystem::boot(ram, mmu, tlb, KernelProfile::i386_6_1(), options)) {}
  PageAllocator& pages() { return memory->pages(); }
  Zone& zone(ZoneType type, uint32_t node = 0) { return pages().nodes()[node].zone(type); }
  bool logged(const std::string& line) const {
    const auto& lines = memory->boot_log();
    return std::find(lines.begin(), lines.end(), line) != lines.end();
  }
};

Errno refusal(uint32_t frames, const BootOptions& options = {}) {
  const mmu::Ram ram = *mmu::Ram::create(frames);
  mmu::Mmu mmu(ram, mmu::NoExecute::kUnsupported);
  RecordingTlb tlb;
  const auto booted = MemorySystem::boot(ram, mmu, tlb, KernelProfile::i386_6_1(), options);
  return booted ? Errno{} : booted.error();
}

constexpr uint32_t frames_of_mib(uint32_t mib) { return mib << 8; }

}  // namespace

TEST_CASE("boot: a machine too small for its tables, or for so many nodes, is refused") {
  CHECK(refusal(63) == Errno::kEINVAL);
  CHECK(refusal(64) == Errno{});
  CHECK(refusal(frames_of_mib(16), {.nodes = 0}) == Errno::kEINVAL);
  CHECK(refusal(frames_of_mib(16), {.nodes = kMaxNodes + 1}) == Errno::kEINVAL);
  CHECK(refusal(384, {.nodes = 8}) == Errno::kEINVAL);  // one would have nothing but the hole
}

TEST_CASE("boot: machines of every size boot, all frames are accounted for and no invariant is broken") {
  for (const uint32_t frames : {64u, 100u, 158u, 159u, 160u, 256u, 257u, 258u, 300u, 4095u, 4096u, 4097u, 5120u,
                                frames_of_mib(128) + 77, frames_of_mib(896), frames_of_mib(897)}) {
    INFO(frames << " frames");
    Booted m(frames);
    CHECK(verify(*m.memory).empty());
    CHECK(m.pages().free_frames() + m.memory->slab().unreclaimable_pages() + m.memory->kernel_space().table_frames() ==
          m.pages().managed_frames());
    uint32_t present = 0;
    m.pages().for_each_zone([&](const Zone& zone) {
      present += zone.present;
      CHECK(zone.managed <= zone.present);
      CHECK(zone.present <= zone.spanned);
    });
    CHECK(present == m.memory->boot_memory().memblock().memory().total_size() >> kPageShift);
  }
}

TEST_CASE("boot: what is reserved is the kernel's image, mem_map and the zone tables") {
  Booted small(64);
  CHECK(small.memory->kernel_map().directory() == Pfn(1));
  CHECK(small.memory->zero_page() == Pfn(2));
  // Frame 0, the image, one frame of struct pages at the end of RAM, two of zone tables below it, and a page table
  // for the direct map, as RAM is no multiple of 4 MiB.
  CHECK(small.memory->boot_memory().mem_map() == Pfn(63));
  CHECK(small.pages().managed_frames() == 64 - 1 - 2 - 1 - 2 - 1);

  Booted large(frames_of_mib(128));
  CHECK(large.memory->kernel_map().directory() == Pfn(256));
  CHECK(large.memory->zero_page() == Pfn(257));
  CHECK(large.zone(ZoneType::kDma).start_pfn == 1);
  CHECK(large.zone(ZoneType::kDma).spanned == 4095);
  CHECK(large.zone(ZoneType::kDma).present == 3998);  // without the hole from 0x9f to 0x100
  CHECK(large.zone(ZoneType::kDma).managed == 3998 - 2);
  CHECK(large.zone(ZoneType::kNormal).present == 28672);
  CHECK(large.zone(ZoneType::kNormal).managed == 28672 - 256 - 2);
  CHECK(large.zone(ZoneType::kHighmem).present == 0);
}

TEST_CASE("boot: high memory begins where the direct map ends, at 875 MiB, and mem_map stands below") {
  Booted m(frames_of_mib(1024));
  CHECK(m.zone(ZoneType::kHighmem).start_pfn == 0x36bfe);
  CHECK(m.zone(ZoneType::kHighmem).managed == frames_of_mib(1024) - 0x36bfe);
  CHECK(m.memory->boot_memory().mem_map().value() < 0x36bfe);
  CHECK(m.logged("148MB HIGHMEM available."));
}

TEST_CASE("boot: nodes split RAM evenly, in whole page blocks") {
  Booted m(frames_of_mib(100), {.nodes = 3});
  CHECK(m.pages().nodes().size() == 3);
  CHECK(m.zone(ZoneType::kNormal, 1).start_pfn == frames_of_mib(32));
  CHECK(m.zone(ZoneType::kNormal, 1).present == frames_of_mib(32));
  CHECK(m.zone(ZoneType::kNormal, 2).present == frames_of_mib(36));
  CHECK(m.zone(ZoneType::kDma, 1).present == 0);
  CHECK(m.memory->page(Pfn(frames_of_mib(40))).node() == 1);
  CHECK(m.memory->page(Pfn(frames_of_mib(40))).zone() == index_of(ZoneType::kNormal));
  CHECK(m.memory->page(Pfn(100)).zone() == index_of(ZoneType::kDma));
  CHECK(verify(*m.memory).empty());
}

TEST_CASE("boot: nodes whose borders are not those of blocks are kept apart") {
  for (const auto& [frames, nodes] : {std::pair{64u, 8u}, {100u, 3u}, {3333u, 7u}, {8197u, 5u}, {262144u, 8u}}) {
    INFO(frames << " frames, " << nodes << " nodes");
    Booted m(frames, {.nodes = nodes});
    CHECK(verify(*m.memory).empty());
    // Everything out and back: nothing merges across a border.
    std::vector<Pfn> taken;
    while (const auto pfn = m.pages().alloc_pages(kGfpHighUserMovable | kGfpMemalloc)) {
      taken.push_back(*pfn);
    }
    CHECK(m.pages().free_frames() == 0);
    for (const Pfn pfn : taken) {
      m.pages().free_pages(pfn);
    }
    m.pages().drain_all_pages();
    CHECK(verify(*m.memory).empty());
  }
}

TEST_CASE("boot: the log tells of the map, the zones and what is free, in Linux's words") {
  Booted m(frames_of_mib(128));
  CHECK(m.logged("BIOS-e820: [mem 0x0000000000100000-0x0000000007ffffff] usable"));
  CHECK(m.logged("  DMA      [mem 0x0000000000001000-0x0000000000ffffff]"));
  CHECK(m.logged("  Normal   [mem 0x0000000001000000-0x0000000007ffffff]"));
  CHECK(m.logged("  HighMem  empty"));
  CHECK(m.logged("  node   0: [mem 0x0000000000001000-0x000000000009efff]"));
  CHECK(m.logged("  node   0: [mem 0x0000000000100000-0x0000000007ffffff]"));
  CHECK(m.logged("Initmem setup node 0 [mem 0x0000000000001000-0x0000000007ffffff]"));
  CHECK(m.logged("On node 0, zone DMA: 1 pages in unavailable ranges"));
  CHECK(m.logged("On node 0, zone DMA: 97 pages in unavailable ranges"));
  CHECK(m.logged(fmt::format("Built 1 zonelists, mobility grouping on.  Total pages: {}", m.pages().managed_frames())));
  CHECK(
      m.logged(fmt::format("Memory: {}K/130680K available (8K kernel data, {}K reserved, 0K cma-reserved, 0K highmem)",
                           m.pages().managed_frames() * 4, 130680 - m.pages().managed_frames() * 4)));
  Booted small(frames_of_mib(8));
  CHECK(small.logged(
      fmt::format("Built 1 zonelists, mobility grouping off.  Total pages: {}", small.pages().managed_frames())));
}

}  // namespace fl::vm::test

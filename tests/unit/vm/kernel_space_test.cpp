// Kernel addresses above the direct map: vmalloc, the kmap window, the fixmap slots, and that high frames are reached
// through them only.
#include <catch2/catch_test_macros.hpp>
#include <cstring>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "mmu/page_tables.hpp"
#include "tests/unit/vm/dies.hpp"
#include "tests/unit/vm/vm_machine.hpp"
#include "vm/kernel_space/kernel_mappings.hpp"

namespace fl::vm::test {
namespace {

constexpr uint32_t kFrames = 8192;
constexpr uint32_t kLowFrames = 4096;
constexpr Pfn kHigh(kLowFrames + 100);

// 32 MiB, the upper half of it high memory.
struct HighMachine {
  mmu::Ram ram{*mmu::Ram::create(kFrames, kLowFrames)};
  mmu::Mmu mmu{ram, mmu::NoExecute::kUnsupported};
  RecordingTlb tlb;
  std::unique_ptr<MemorySystem> memory{*MemorySystem::boot(ram, mmu, tlb, KernelProfile::i386_6_1())};

  KernelSpace& space() { return memory->kernel_space(); }
  Vmalloc& vmalloc() { return memory->vmalloc(); }
  Kmap& kmap() { return memory->kmap(); }
  KmapSlots& slots() { return memory->kmap_slots(); }
  VirtAddr area(uint32_t bytes) { return vmalloc().vmalloc(bytes, "test").value(); }
  std::vector<std::string> areas() {
    std::vector<std::string> lines;
    for (const VmStruct* at = vmalloc().first(); at != nullptr; at = at->next) {
      lines.push_back(fmt::format("{}+{}", (at->addr - space().vmalloc_start()) >> kPageShift, at->size >> kPageShift));
    }
    return lines;
  }
};
using Areas = std::vector<std::string>;

}  // namespace

TEST_CASE("kernel space: the layout is that of a 6.1 kernel without PAE") {
  // From the boot log and /proc/vmallocinfo of a real one.
  CHECK(mmu::kLowMemoryLimit == 0x36bfe000);
  CHECK(mmu::kPkmapBase == 0xfec00000);
  CHECK(mmu::kVmallocEnd == 0xfebfe000);
  const mmu::Ram ram = *mmu::Ram::create(1u << 19);
  mmu::Mmu mmu(ram, mmu::NoExecute::kUnsupported);
  RecordingTlb tlb;
  const auto memory = *MemorySystem::boot(ram, mmu, tlb, KernelProfile::i386_6_1());
  CHECK(memory->kernel_space().vmalloc_start() == VirtAddr(0xf73fe000));
  CHECK(memory->vmalloc().total_pages() * 4 == 122880);
}

TEST_CASE("kernel space: a low frame has one host pointer, one address and one frame number") {
  HighMachine machine;
  const DirectMap& map = machine.space().direct_map();
  std::byte* const object = machine.ram.frame(Pfn(77)) + 12;
  CHECK(map.address_of(object) == VirtAddr(0xC004D00C));
  CHECK(map.pointer<std::byte>(VirtAddr(0xC004D00C)) == object);
  CHECK(map.pfn_of(object) == Pfn(77));
  CHECK(machine.space().pointer(VirtAddr(0xC004D00C)) == object);
  CHECK(machine.space().frame_of(VirtAddr(0xC004D00C)) == Pfn(77));
}

TEST_CASE("kernel space: the direct map is the same by large pages and by page tables") {
  constexpr uint32_t kOddFrames = 3 * mmu::kEntriesPerTable + 100;
  for (const auto large : {mmu::LargePages::kYes, mmu::LargePages::kNo}) {
    const mmu::Ram ram = *mmu::Ram::create(kOddFrames);
    mmu::Mmu mmu(ram, mmu::NoExecute::kUnsupported);
    RecordingTlb tlb;
    const auto memory = *MemorySystem::boot(ram, mmu, tlb, KernelProfile::i386_6_1(), {.large_pages = large});
    CHECK(memory->kernel_map().large_pages() == (large == mmu::LargePages::kYes ? 3 : 0));
    CHECK(memory->kernel_map().table_frames() == (large == mmu::LargePages::kYes ? 1 : 4));
    mmu.set_cr3(memory->kernel_map().directory());
    for (const uint32_t frame : {0u, 1u, 1024u, 3071u, 3072u, kOddFrames - 1}) {
      const VirtAddr va = mmu::direct_map(PhysAddr(Pfn(frame)));
      const mmu::Translation found = mmu.translate(va, mmu::Access::kWrite, mmu::Privilege::kSupervisor);
      REQUIRE(found.hit);
      CHECK(found.pte.pfn() == Pfn(frame));
      CHECK(memory->kernel_space().frame_of(va) == Pfn(frame));
      CHECK_FALSE(mmu.translate(va, mmu::Access::kRead, mmu::Privilege::kUser).hit);
    }
    const VirtAddr end = mmu::direct_map(PhysAddr(Pfn(kOddFrames)));
    CHECK_FALSE(mmu.translate(end, mmu::Access::kRead, mmu::Privilege::kSupervisor).hit);
    CHECK(verify(*memory).empty());
  }
}

TEST_CASE("kernel space: a high frame without a mapping is our own bug") {
  CHECK(fl::test::message_of_death([] { HighMachine().ram.frame(kHigh); }).find("is not in low memory") !=
        std::string::npos);
  CHECK(fl::test::message_of_death([] {
          HighMachine machine;
          machine.space().pointer(VirtAddr(mmu::kPkmapBase));
        }).find("is not mapped") != std::string::npos);
}

TEST_CASE("vmalloc: areas fill the first hole that is large enough, a guard page between each two") {
  HighMachine machine;
  const VirtAddr a = machine.area(kPageSize);
  const VirtAddr b = machine.area(3 * kPageSize - 5);
  machine.area(kPageSize);
  CHECK(a == machine.space().vmalloc_start());
  CHECK(machine.areas() == Areas{"0+2", "2+4", "6+2"});
  machine.vmalloc().vfree(b);
  machine.area(4 * kPageSize);
  CHECK(machine.areas() == Areas{"0+2", "6+2", "8+5"});
  machine.area(kPageSize);
  machine.area(kPageSize);
  CHECK(machine.areas() == Areas{"0+2", "2+2", "4+2", "6+2", "8+5"});
  CHECK(machine.vmalloc().used_pages() == 8);
  CHECK(machine.vmalloc().find_vm_area(a + kPageSize)->addr == a);
  CHECK(machine.vmalloc().find_vm_area(machine.space().vmalloc_start() + bytes_of(13)) == nullptr);
}

TEST_CASE("vmalloc: the guard page is not mapped") {
  HighMachine machine;
  const VirtAddr a = machine.area(kPageSize);
  machine.area(kPageSize);
  CHECK(machine.space().frame_of(a).has_value());
  CHECK(machine.space().frame_of(a + kPageSize).error() == Errno::kEFAULT);
  CHECK(fl::test::message_of_death([&] { machine.space().pointer(a + kPageSize); }).find("is not mapped") !=
        std::string::npos);
}

TEST_CASE("vmalloc: the processor finds the pages through the page tables") {
  HighMachine machine;
  const VirtAddr a = machine.area(3 * kPageSize);
  machine.mmu.set_cr3(machine.memory->kernel_map().directory());
  for (uint32_t page = 0; page < 3; ++page) {
    const VirtAddr va = a + bytes_of(page);
    const mmu::Translation found = machine.mmu.translate(va, mmu::Access::kWrite, mmu::Privilege::kSupervisor);
    REQUIRE(found.hit);
    CHECK(found.pte.pfn() == machine.space().frame_of(va).value());
    CHECK(machine.space().pointer(va + 8) == machine.ram.physical(found.pte.pfn()) + 8);
    CHECK_FALSE(machine.mmu.translate(va, mmu::Access::kRead, mmu::Privilege::kUser).hit);
  }
}

TEST_CASE("vmalloc: a second process's directory gets the entry when it is first used") {
  HighMachine machine;
  MemorySystem& memory = *machine.memory;
  const mmu::PageTables before = *mmu::PageTables::create(machine.ram, memory.pages(), memory.kernel_map());
  const VirtAddr a = machine.area(kPageSize);
  const mmu::PageTables after = *mmu::PageTables::create(machine.ram, memory.pages(), memory.kernel_map());
  CHECK(before.directory_entry(a).none());
  CHECK_FALSE(after.directory_entry(a).none());

  machine.mmu.set_cr3(after.directory());
  *machine.space().pointer(a) = std::byte{42};
  CHECK(machine.space().vmalloc_faults() == 0);
  machine.mmu.set_cr3(before.directory());
  CHECK_FALSE(machine.mmu.translate(a, mmu::Access::kRead, mmu::Privilege::kSupervisor).hit);
  CHECK(*machine.space().pointer(a) == std::byte{42});
  CHECK(machine.space().vmalloc_faults() == 1);
  CHECK(machine.mmu.translate(a, mmu::Access::kRead, mmu::Privilege::kSupervisor).hit);
  CHECK(before.directory_entry(a) == after.directory_entry(a));
  // From now on all areas of these 4 MiB are there.
  const VirtAddr b = machine.area(kPageSize);
  *machine.space().pointer(b) = std::byte{1};
  CHECK(machine.space().vmalloc_faults() == 1);
  machine.mmu.set_cr3(Pfn());
}

TEST_CASE("vmalloc: what is freed comes back, but for the page tables") {
  HighMachine machine;
  machine.vmalloc().vfree(machine.area(5000));
  machine.memory->slab().shrink_all();
  const uint32_t free = machine.memory->pages().free_frames();
  std::vector<VirtAddr> areas;
  for (uint32_t i = 1; i < 40; ++i) {
    areas.push_back(machine.area(i * 1000));
  }
  for (const VirtAddr area : areas) {
    machine.vmalloc().vfree(area);
  }
  machine.vmalloc().vfree(VirtAddr());
  machine.memory->slab().shrink_all();
  CHECK(machine.memory->pages().free_frames() == free);
  CHECK(machine.vmalloc().first() == nullptr);
  CHECK(machine.vmalloc().used_pages() == 0);
  CHECK(verify(*machine.memory).empty());
}

TEST_CASE("vmalloc: an allocation that fails at any step leaves nothing") {
  HighMachine machine;
  machine.area(kPageSize);
  machine.memory->slab().shrink_all();
  const uint32_t free = machine.memory->pages().free_frames();
  const uint32_t tables = machine.space().table_frames();
  for (uint32_t n = 1; n <= 6; ++n) {
    machine.memory->pages().fail_allocation(n);
    CHECK(machine.vmalloc().vmalloc(8 * kPageSize, "test").error() == Errno::kENOMEM);
    machine.memory->slab().shrink_all();
    CHECK(machine.memory->pages().free_frames() == free);
    CHECK(machine.areas() == Areas{"0+2"});
  }
  machine.memory->pages().fail_allocation(0);
  CHECK(machine.vmalloc().vmalloc(0, "test").error() == Errno::kEINVAL);
  CHECK(machine.vmalloc().vmalloc(kFrames * kPageSize, "test").error() == Errno::kENOMEM);
  // The page tables that were made on the way stay.
  machine.memory->slab().shrink_all();
  CHECK(machine.memory->pages().free_frames() == free - (machine.space().table_frames() - tables));
}

TEST_CASE("vmalloc: freeing what is no area is our own bug") {
  CHECK(fl::test::message_of_death([] {
          HighMachine machine;
          machine.vmalloc().vfree(machine.area(9000) + kPageSize);
        }).find("which is no area") != std::string::npos);
}

TEST_CASE("vmalloc: random areas keep their bytes and their order") {
  HighMachine machine;
  std::mt19937 random(3);
  struct Area {
    VirtAddr at;
    uint32_t pages;
    std::byte fill;
  };
  std::vector<Area> areas;
  for (uint32_t step = 0; step < 3000; ++step) {
    if (random() % 2 == 0 && areas.size() < 100) {
      const Area area{machine.area(1 + random() % 40000), 0, static_cast<std::byte>(random())};
      areas.push_back(area);
      areas.back().pages = machine.vmalloc().find_vm_area(area.at)->pages;
      for (uint32_t page = 0; page < areas.back().pages; ++page) {
        std::memset(machine.space().pointer(area.at + bytes_of(page)), static_cast<int>(area.fill), kPageSize);
      }
    } else if (!areas.empty()) {
      const size_t which = random() % areas.size();
      for (uint32_t page = 0; page < areas[which].pages; ++page) {
        REQUIRE(machine.space().pointer(areas[which].at + bytes_of(page))[17] == areas[which].fill);
      }
      machine.vmalloc().vfree(areas[which].at);
      areas[which] = areas.back();
      areas.pop_back();
    }
    VirtAddr end = machine.space().vmalloc_start();
    for (const VmStruct* at = machine.vmalloc().first(); at != nullptr; at = at->next) {
      REQUIRE(at->addr >= end);
      end = at->addr + at->size;
    }
  }
  CHECK(verify(*machine.memory).empty());
}

TEST_CASE("vmalloc: an array's elements are reached one by one") {
  struct Entry {
    uint32_t a, b, c;
  };
  HighMachine machine;
  const auto array = VmallocArray<Entry>::create(machine.vmalloc(), 2000, "test").value();
  CHECK(array[1999].c == 0);
  for (uint32_t i = 0; i < 2000; ++i) {
    array[i] = {i, i + 1, i + 2};
  }
  for (uint32_t i = 0; i < 2000; ++i) {
    REQUIRE(array[i].b == i + 1);
  }
  // 341 entries a page.
  CHECK(machine.vmalloc().used_pages() == 6);
}

TEST_CASE("kvmalloc: small is kmalloc, and large is vmalloc when no large block is free") {
  HighMachine machine;
  const VirtAddr small = machine.vmalloc().kvmalloc(100, "test").value();
  CHECK(machine.space().in_direct_map(small));
  machine.vmalloc().kvfree(small);
  std::vector<Pfn> taken;
  while (const auto pfn = machine.memory->pages().alloc_pages(kGfpKernel | kGfpMemalloc)) {
    taken.push_back(*pfn);
  }
  for (const Pfn pfn : taken) {
    if (pfn.value() % 2 == 0) {
      machine.memory->pages().free_pages(pfn);
    }
  }
  const VirtAddr large = machine.vmalloc().kvmalloc(5 * kPageSize, "test").value();
  CHECK(machine.space().is_vmalloc_addr(large));
  machine.vmalloc().kvfree(large);
  CHECK(machine.vmalloc().first() == nullptr);
}

TEST_CASE("kmap: a low frame's address is that of the direct map") {
  HighMachine machine;
  CHECK(machine.kmap().kmap(Pfn(50)).value() == VirtAddr(0xC0032000));
  machine.kmap().kunmap(Pfn(50));
  CHECK(machine.kmap().used_slots() == 0);
}

TEST_CASE("kmap: a high frame gets a slot, keeps it while it is stale, and shares it") {
  HighMachine machine;
  Kmap& kmap = machine.kmap();
  const VirtAddr at = kmap.kmap(kHigh).value();
  CHECK(at == Kmap::slot_address(1));
  CHECK(kmap.kmap(kHigh).value() == at);
  CHECK(kmap.count(1) == 3);
  *kmap.pointer(at) = std::byte{9};
  CHECK(*machine.ram.physical(kHigh) == std::byte{9});
  kmap.kunmap(kHigh);
  kmap.kunmap(kHigh);
  CHECK(kmap.count(1) == 1);
  CHECK(kmap.page_address(kHigh) == at);
  CHECK(kmap.kmap(kHigh).value() == at);
  CHECK(kmap.count(1) == 2);
  kmap.kunmap(kHigh);
  CHECK(fl::test::message_of_death([&] { kmap.kunmap(kHigh); }).find("which nobody has mapped") != std::string::npos);
}

TEST_CASE("kmap: when the slots have gone round, those without users are flushed") {
  HighMachine machine;
  Kmap& kmap = machine.kmap();
  const auto frame = [](uint32_t i) { return Pfn(kLowFrames + i); };
  REQUIRE(kmap.kmap(frame(0)));  // stays mapped
  for (uint32_t i = 1; i < mmu::kLastPkmap - 1; ++i) {
    REQUIRE(kmap.kmap(frame(i)));
    kmap.kunmap(frame(i));
  }
  CHECK(kmap.flushes() == 0);
  CHECK(kmap.kmap(frame(2000)).value() == Kmap::slot_address(0));
  CHECK(kmap.flushes() == 1);
  CHECK(kmap.count(1) == 2);
  CHECK(kmap.count(2) == 0);
  CHECK(kmap.page_address(frame(1)).error() == Errno::kEFAULT);
  CHECK(kmap.kmap(frame(2001)).value() == Kmap::slot_address(2));
  CHECK(kmap.used_slots() == 3);
}

TEST_CASE("kmap: when all slots have users there is no mapping, until one is given back") {
  HighMachine machine;
  Kmap& kmap = machine.kmap();
  const auto frame = [](uint32_t i) { return Pfn(kLowFrames + i); };
  for (uint32_t i = 0; i < mmu::kLastPkmap; ++i) {
    REQUIRE(kmap.kmap(frame(i)));
  }
  CHECK(kmap.used_slots() == mmu::kLastPkmap);
  CHECK(kmap.kmap(frame(1024)).error() == Errno::kENOMEM);
  CHECK(kmap.kmap(frame(700)).has_value());  // has one already
  kmap.kunmap(frame(500));
  CHECK(kmap.kmap(frame(1024)).has_value());
  {
    kmap.kunmap(frame(501));
    const auto page = KmapPage::map(kmap, frame(1025));
    REQUIRE(page);
    *page->data() = std::byte{3};
  }
  CHECK(*machine.ram.physical(frame(1025)) == std::byte{3});
  CHECK(kmap.used_slots() == mmu::kLastPkmap - 1);
}

TEST_CASE("kmap_local: low frames cost nothing, high ones nest") {
  HighMachine machine;
  KmapSlots& slots = machine.slots();
  const KmapLocal low(slots, Pfn(9));
  CHECK(low.data() == machine.ram.frame(Pfn(9)));
  CHECK(slots.depth() == 0);
  {
    const KmapLocal outer(slots, kHigh);
    const KmapLocal inner(slots, kHigh + 1);
    CHECK(slots.depth() == 2);
    CHECK(machine.space().frame_of(fix_to_virt(kFixKmapBegin)) == kHigh);
    CHECK(machine.space().frame_of(fix_to_virt(kFixKmapBegin + 1)) == kHigh + 1);
    *outer.data() = std::byte{1};
    *inner.data() = std::byte{2};
  }
  CHECK(slots.depth() == 0);
  CHECK(slots.mapped() == 2);
  CHECK(machine.space().frame_of(fix_to_virt(kFixKmapBegin)).error() == Errno::kEFAULT);
  copy_highpage(slots, Pfn(2000), kHigh + 1);
  CHECK(*machine.ram.frame(Pfn(2000)) == std::byte{2});
  clear_highpage(slots, kHigh + 1);
  CHECK(*machine.ram.physical(kHigh + 1) == std::byte{0});
}

TEST_CASE("kmap_local: mappings end in the opposite order, and there are 16 of them") {
  CHECK(fl::test::message_of_death([] {
          HighMachine machine;
          auto outer = std::make_unique<KmapLocal>(machine.slots(), kHigh);
          const KmapLocal inner(machine.slots(), kHigh);
          outer.reset();
        }).find("out of order") != std::string::npos);
  CHECK(fl::test::message_of_death([] {
          HighMachine machine;
          std::vector<KmapLocal> maps;
          maps.reserve(17);
          for (int i = 0; i < 17; ++i) {
            maps.emplace_back(machine.slots(), kHigh);
          }
        }).find("more than 16 nested mappings") != std::string::npos);
}

TEST_CASE("high memory: user pages prefer it, and the kernel reads and writes them through mappings") {
  Machine machine(kFrames, KernelProfile::i386_6_1(), kLowFrames);
  const VirtAddr at = machine.map_anon(0, 4);
  const uint64_t mapped = machine.memory().kmap_slots().mapped();
  REQUIRE(machine.user().put(at + 8, uint32_t{0x1234}));
  CHECK_FALSE(machine.ram().is_low(machine.pte(at).pfn()));
  CHECK(machine.load(at + 8) == 0x1234);
  CHECK(machine.user().get<uint32_t>(at + 8) == 0x1234);
  CHECK(machine.memory().kmap_slots().mapped() > mapped);

  // A file's pages, a private copy of one, and a copy on write.
  TestFile file = machine.new_file(3);
  file.store->set_word(kPageSize + 4, 77);
  const VirtAddr text = machine.map(0, 3, kRw, MapFlag::kPrivate, file.file);
  CHECK(machine.load(text + kPageSize + 4) == 77);
  machine.store(text + kPageSize + 4, 78);
  CHECK(machine.load(text + kPageSize + 4) == 78);
  CHECK(file.store->word(kPageSize + 4) == 77);
  CHECK_FALSE(machine.ram().is_low(machine.pte(text + kPageSize).pfn()));
  // Frames that are used again are zeroed.
  REQUIRE(machine.mm().munmap(at, bytes_of(4)));
  const VirtAddr again = machine.map_anon(0, 4);
  for (uint32_t page = 0; page < 4; ++page) {
    CHECK(machine.load(again + bytes_of(page) + 8) == 0);
  }
  CHECK(machine.memory().kmap_slots().depth() == 0);
  CHECK(machine.memory().kmap().used_slots() == 0);
  CHECK(machine.problems().empty());
}

}  // namespace fl::vm::test

// Making, walking and freeing the tables of an address space.
#include "mmu/page_tables.hpp"

#include <catch2/catch_test_macros.hpp>
#include <vector>

#include "mmu/kernel_map.hpp"
#include "tests/unit/mmu/test_frames.hpp"

namespace fl::mmu::test {
namespace {

struct Tables {
  Ram ram = *Ram::create(64);
  TestFrames frames{ram};
  KernelMap kernel{ram, Pfn(1)};
  PageTables tables = *PageTables::create(ram, frames, kernel);
};

}  // namespace

TEST_CASE("page tables: a new directory has the kernel's upper quarter and nothing else") {
  Tables t;
  const auto* entries = reinterpret_cast<const Pte*>(t.ram.frame(t.tables.directory()));
  const auto* kernel = reinterpret_cast<const Pte*>(t.ram.frame(t.kernel.directory()));
  for (uint32_t i = 0; i < kEntriesPerTable; ++i) {
    CHECK(entries[i] == (i < 768 ? Pte() : kernel[i]));
  }
  CHECK(entries[768].large());
  CHECK(t.tables.table_frames() == 0);
}

TEST_CASE("page tables: a table is made when its first entry is asked for, once") {
  Tables t;
  CHECK(t.tables.find(VirtAddr(0x08048000)) == nullptr);
  Pte* pte = *t.tables.find_or_create(VirtAddr(0x08048000));
  CHECK(pte->none());
  CHECK(t.tables.table_frames() == 1);
  CHECK(*t.tables.find_or_create(VirtAddr(0x08049000)) == pte + 1);
  CHECK(t.tables.table_frames() == 1);
  CHECK(t.tables.find(VirtAddr(0x08048000)) == pte);
  CHECK(t.tables.table(VirtAddr(0x08048000)) == pte - 0x48);
  const Pte pde = t.tables.directory_entry(VirtAddr(0x08048000));
  CHECK(pde.hw_present());
  CHECK(pde.writable());
  CHECK(pde.user());
}

TEST_CASE("page tables: no frame for the directory or a table is ENOMEM and changes nothing") {
  Tables t;
  t.frames.fail_after = 0;
  CHECK(PageTables::create(t.ram, t.frames, t.kernel).error() == Errno::kENOMEM);
  CHECK(t.tables.find_or_create(VirtAddr(0)).error() == Errno::kENOMEM);
  CHECK(t.tables.table_frames() == 0);
  CHECK(t.tables.directory_entry(VirtAddr(0)).none());
}

TEST_CASE("page tables: for_each gives what is not empty, in order, across tables, and no more than the range") {
  Tables t;
  const std::vector<uint32_t> pages{0x0, 0x3ff, 0x400, 0xbffff};
  for (const uint32_t page : pages) {
    **t.tables.find_or_create(VirtAddr(page << kPageShift)) = Pte(Pfn(5), Pte::kPresent);
  }
  std::vector<uint32_t> seen;
  const auto collect = [&](VirtAddr va, Pte&) { seen.push_back(va.vpn()); };
  t.tables.for_each(VirtAddr(0), kPageOffset, collect);
  CHECK(seen == pages);
  seen.clear();
  t.tables.for_each(VirtAddr(0x1000), 0x400000, collect);
  CHECK(seen == std::vector<uint32_t>{0x3ff});
  seen.clear();
  t.tables.for_each(VirtAddr(0x400000), 0x400000, collect);
  CHECK(seen.empty());
}

TEST_CASE("page tables: only tables that lie wholly inside the range are freed") {
  Tables t;
  for (const uint32_t table : {1u, 2u, 3u}) {
    REQUIRE(t.tables.find_or_create(VirtAddr(table * kPgdirSize)));
  }
  t.tables.free_tables(VirtAddr(1 * kPgdirSize + kPageSize), uint64_t{4} * kPgdirSize - kPageSize);
  CHECK(t.tables.table_frames() == 2);
  CHECK(t.tables.find(VirtAddr(1 * kPgdirSize)) != nullptr);
  CHECK(t.tables.find(VirtAddr(2 * kPgdirSize)) == nullptr);
  CHECK(t.tables.find(VirtAddr(3 * kPgdirSize)) != nullptr);
  t.tables.free_tables(VirtAddr(0), kPageOffset);
  CHECK(t.tables.table_frames() == 0);
  CHECK(t.frames.used.size() == 1);
}

TEST_CASE("page tables: the end of an address space frees its tables and directory, a moved-from one frees nothing") {
  Ram ram = *Ram::create(64);
  TestFrames frames(ram);
  const KernelMap kernel(ram, Pfn(1));
  {
    PageTables first = *PageTables::create(ram, frames, kernel);
    REQUIRE(first.find_or_create(VirtAddr(0x1000)));
    REQUIRE(first.find_or_create(VirtAddr(0xbffff000)));
    const PageTables second(std::move(first));
    CHECK(frames.used.size() == 3);
    CHECK(second.table_frames() == 2);
  }
  CHECK(frames.used.empty());
}

}  // namespace fl::mmu::test

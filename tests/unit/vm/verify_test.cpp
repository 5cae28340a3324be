// Each invariant broken on purpose: verify must say so, with its number, and say nothing before.
#include <catch2/catch_test_macros.hpp>

#include "mmu/layout.hpp"
#include "tests/unit/vm/dies.hpp"
#include "tests/unit/vm/verify_machine.hpp"
#include "vm/mm/area_editor.hpp"
#include "vm/phys/page_pin.hpp"

namespace fl::vm::test {
namespace {

using mmu::Pte;

}  // namespace

TEST_CASE("verify: a machine in use has nothing to complain of, under either kernel") {
  for (const KernelProfile* profile : {&KernelProfile::i386_6_1(), &KernelProfile::compat_6_18()}) {
    Busy busy(*profile);
    CHECK(busy.machine.problems().empty());
  }
}

TEST_CASE("verify 1: a frame in two states or in none is noticed") {
  Busy busy;
  SECTION("anonymous and a page table") {
    busy.page(busy.anon).set(PageFlag::kKernel);
    CHECK(has(busy.complaint(1, 6), "is in 2 states"));
  }
  SECTION("in none") {
    busy.page(busy.anon).become(0);
    const auto lines = verify(busy.machine.memory());
    CHECK(std::any_of(lines.begin(), lines.end(), [](const std::string& line) {
      return has(line, "invariant 1:") && has(line, "is in 0 states");
    }));
  }
  SECTION("exclusive, but not anonymous") {
    busy.page(busy.text).set(PageFlag::kAnonExclusive);
    CHECK(has(busy.complaint(1), "exclusive without being anonymous"));
  }
}

TEST_CASE("verify 3: broken lists and trees of areas are noticed") {
  Busy busy;
  VmArea& area = busy.area(busy.zero);
  SECTION("a wrong largest hole") {
    area.max_gap += kPageSize;
    CHECK(has(busy.complaint(3), "largest hole"));
  }
  SECTION("a wrong backward link") {
    area.prev = area.prev->prev;
    CHECK(has(busy.complaint(3), "wrong link"));
  }
  SECTION("overlapping areas") {
    busy.area(busy.anon).end = area.end;
    CHECK(has(busy.complaint(3, 12), "overlap"));
  }
  SECTION("priorities upside down") {
    const VmArea* root = busy.machine.mm().areas().root();
    for (VmArea* node = busy.machine.mm().areas().first(); node != nullptr; node = node->next) {
      busy.spoil(node->priority) = node == root ? 0 : node->priority;
    }
    CHECK(has(busy.complaint(3), "against their priorities"));
  }
  SECTION("an area off its file's list") {
    VmArea& text = busy.area(busy.text);
    auto& list = busy.file.mapping().areas();
    list.erase(list.iterator_to(text));
    CHECK(has(busy.complaint(3, 7), "not on its file's list"));
    list.push_back(text);
  }
  SECTION("a shared area without a file") {
    area.flags |= VmFlag::kShared;
    CHECK(has(busy.complaint(3, 12), "shared, but has no file"));
  }
  SECTION("beyond user space") {
    busy.area(busy.none).end = VirtAddr(mmu::kTaskSize + kPageSize);
    CHECK(has(busy.complaint(3, 12), "outside user space"));
  }
}

TEST_CASE("verify 3: neighbours that could be one are noticed") {
  Machine machine;
  const VirtAddr at = machine.map_anon(0x10000000, 4);
  AreaEditor editor(machine.mm());
  REQUIRE(editor.split(machine.mm().areas().lookup(at), at + bytes_of(2)));
  const auto lines = verify(machine.memory());
  REQUIRE(lines.size() == 1);
  CHECK(lines[0] == "invariant 3: areas 10000000 and 10002000 could be one");
}

TEST_CASE("verify 3: a heap above bss and a stack grown down to its neighbour are kept apart, as by Linux") {
  Machine machine;
  const VirtAddr bss = machine.map_anon(0x08100000, 2);
  machine.mm().layout().start_brk = machine.mm().layout().brk = bss + bytes_of(2);
  REQUIRE(machine.mm().brk(bss + bytes_of(4), machine.task) == bss + bytes_of(4));
  CHECK(machine.maps() == std::vector<std::string>{"8100-8102 rw-p", "8102-8104 rw-p"});
  CHECK(machine.problems().empty());
  // More heap is one area with the heap there is.
  REQUIRE(machine.mm().brk(bss + bytes_of(6), machine.task) == bss + bytes_of(6));
  CHECK(machine.maps() == std::vector<std::string>{"8100-8102 rw-p", "8102-8106 rw-p"});

  const uint32_t rights = VmFlag::kRead | VmFlag::kWrite;
  REQUIRE(machine.mm().map_stack(VirtAddr(0x20000000), bytes_of(2), rights));
  REQUIRE(machine.mm().map_stack(VirtAddr(0x1FFF0000), bytes_of(2), rights));
  CHECK_FALSE(machine.touch(VirtAddr(0x1FFF0000), mmu::Access::kWrite).refused);
  CHECK(machine.mm().areas().lookup(VirtAddr(0x1FFF0000))->end == VirtAddr(0x20000000));
  CHECK(machine.problems().empty());
}

TEST_CASE("verify 4: entries that allow what their areas forbid are noticed") {
  Busy busy(KernelProfile::compat_6_18());
  SECTION("writable in a read-only area") {
    busy.area(busy.anon).flags &= ~uint32_t{VmFlag::kWrite};
    CHECK(has(busy.complaint(4, 12), "is writable, its area is not"));
  }
  SECTION("readable in a PROT_NONE area") {
    busy.entry(busy.none) = busy.entry(busy.none).without(Pte::kProtNone).with(Pte::kPresent | Pte::kUser);
    CHECK(has(busy.complaint(4), "area without any"));
  }
  SECTION("non-present in a readable area") {
    busy.entry(busy.zero) = busy.entry(busy.zero).without(Pte::kPresent).with(Pte::kProtNone);
    CHECK(has(busy.complaint(4), "non-present in an area with access"));
  }
  SECTION("executable in an area that is not") {
    busy.entry(busy.anon) = busy.entry(busy.anon).without(Pte::kNoExecute);
    CHECK(has(busy.complaint(4), "can be executed, its area cannot"));
  }
  SECTION("the kernel's") {
    busy.entry(busy.anon) = busy.entry(busy.anon).without(Pte::kUser);
    CHECK(has(busy.complaint(4), "is the kernel's"));
  }
  SECTION("outside every area") {
    busy.entry(busy.anon + bytes_of(8)) = busy.entry(busy.zero);
    CHECK(has(busy.complaint(4), "outside every area"));
  }
  SECTION("a private area that could write to its file") {
    REQUIRE(busy.machine.mm().mprotect(busy.text, bytes_of(8), kRw, busy.machine.task));
    busy.entry(busy.text) = busy.entry(busy.text).with(Pte::kWritable);
    CHECK(has(busy.complaint(4), "private"));
  }
  SECTION("a writable page that may have other owners") {
    busy.page(busy.anon).clear(PageFlag::kAnonExclusive);
    CHECK(has(busy.complaint(4), "may have other owners"));
  }
  SECTION("an anonymous page in an area that fork would not copy") {
    busy.area(busy.anon).anon_vma = 0;
    CHECK(has(busy.complaint(4), "no anon_vma"));
  }
  SECTION("an entry without a frame") {
    busy.entry(busy.anon + bytes_of(8)) = Pte(Pfn(5), 0);
    CHECK(has(busy.complaint(4), "outside every area"));
    busy.entry(busy.anon + bytes_of(8)) = Pte();
    busy.entry(busy.zero) = Pte(Pfn(0x40), 0);
    CHECK(has(busy.complaint(9, 12), "in a slot that nobody has"));
  }
}

TEST_CASE("verify 4: a private writable page that two entries map is noticed") {
  Busy busy;
  busy.entry(busy.anon + bytes_of(1)) = busy.entry(busy.anon);
  const auto lines = verify(busy.machine.memory());
  CHECK(std::any_of(lines.begin(), lines.end(), [](const std::string& line) {
    return has(line, "invariant 4:") && has(line, "private and writable");
  }));
}

TEST_CASE("verify 5 and 6: wrong map and reference counts are noticed") {
  Busy busy;
  SECTION("mapcount") {
    ++busy.page(busy.anon).mapcount;
    CHECK(has(busy.complaint(5), "mapcount 2, but 1 entries map it"));
  }
  SECTION("refcount") {
    ++busy.page(busy.anon).refcount;
    CHECK(has(busy.complaint(6), "refcount 2, but it has 1 users"));
  }
  SECTION("refcount of a cached page") {
    --busy.page(busy.text).refcount;
    CHECK(has(busy.complaint(6), "users"));
  }
  SECTION("a free frame with a reference") {
    busy.page(free_block(busy.machine.pages())).refcount = 1;
    CHECK(has(busy.complaint(6), "refcount 1, but it has 0 users"));
  }
}

TEST_CASE("verify 7: a page whose entries rmap does not find is noticed") {
  Busy busy;
  SECTION("a wrong index") {
    ++busy.page(busy.anon).index;
    CHECK(has(busy.complaint(7), "rmap finds 0 entries, 1 map it"));
  }
  SECTION("an anon_vma that is none") {
    busy.page(busy.anon).mapping += 64;
    CHECK(has(busy.complaint(7), "no area's anon_vma"));
  }
  SECTION("an area off its anon_vma's list") {
    AnonVmaChain& chain = busy.area(busy.anon).anon_vma_chain.front();
    AnonVmaChain::OfAnonVma& members = chain.anon_vma->chain;
    members.erase(members.iterator_to(chain));
    CHECK(has(busy.complaint(7), "rmap finds 0 entries, 1 map it"));
    members.push_back(chain);
  }
  SECTION("an area off its file's list") {
    VmArea& text = busy.area(busy.text);
    auto& list = busy.file.mapping().areas();
    list.erase(list.iterator_to(text));
    CHECK(has(busy.complaint(7, 3), "rmap finds 0 entries, 1 map it"));
    list.push_back(text);
  }
}

TEST_CASE("verify 8: a zero page that is written, writable, counted or freed is noticed") {
  Busy busy;
  MemorySystem& memory = busy.machine.memory();
  SECTION("writable") {
    busy.entry(busy.zero) = busy.entry(busy.zero).with(Pte::kWritable);
    CHECK(has(busy.complaint(8), "not its own"));
  }
  SECTION("written") {
    memory.ram().frame(memory.zero_page())[7] = std::byte{1};
    CHECK(has(busy.complaint(8), "byte 0x7 of the zero page is 0x1"));
  }
  SECTION("counted") {
    busy.entry(busy.zero) = busy.entry(busy.zero).without(Pte::kSpecial);
    CHECK(has(busy.complaint(8), "as if it were counted"));
  }
  SECTION("freed") {
    busy.page(memory.zero_page()).refcount = 0;
    CHECK(has(busy.complaint(8, 6), "was freed or given away"));
  }
  SECTION("referenced by nobody") {
    ++busy.page(memory.zero_page()).refcount;
    CHECK(has(busy.complaint(6), "refcount 2, but it has 1"));
  }
  SECTION("pinned, as a call that reads it does") {
    const PagePin pin(memory, memory.zero_page());
    CHECK(verify(memory).empty());
  }
}

TEST_CASE("verify 10: a page cache that disagrees with its frames is noticed") {
  Busy busy;
  SECTION("a wrong index") {
    busy.page(busy.text).index = 77;
    CHECK(has(busy.complaint(10, 7), "does not know it"));
  }
  SECTION("a mapping that does not exist") {
    busy.page(busy.text).mapping = 99;
    CHECK(has(busy.complaint(10), "does not know it"));
  }
  SECTION("dirty without being listed") {
    busy.page(busy.text + bytes_of(5)).set(PageFlag::kDirty);
    CHECK(has(busy.complaint(10), "disagree with its mapping"));
  }
  SECTION("a stored-to page that counts as clean") {
    busy.page(busy.shared).clear(PageFlag::kDirty);
    CHECK(has(busy.complaint(10), "may have dirtied"));
  }
  SECTION("an entry that maps another page of the file") {
    std::swap(busy.entry(busy.text), busy.entry(busy.text + bytes_of(1)));
    CHECK(has(busy.complaint(10, 7), "not its area's"));
  }
  SECTION("a cache flag outside the cache") {
    busy.page(busy.anon).set(PageFlag::kShmem);
    CHECK(has(busy.complaint(10), "outside the page cache"));
  }
}

TEST_CASE("verify 11: LRU lists with the wrong pages are noticed") {
  Busy busy;
  REQUIRE(busy.complaint(11).empty());
  Node& node = busy.machine.pages().nodes()[0];
  Page& oldest = busy.page(Pfn(node.lruvec.list(LruList::kInactiveFile).tail));
  SECTION("a page without its mark") {
    oldest.clear(PageFlag::kLru);
    CHECK(has(busy.complaint(11), "its flags are"));
  }
  SECTION("a page with another list's flags") {
    oldest.set(PageFlag::kActive);
    CHECK(has(busy.complaint(11), "its flags are"));
  }
  SECTION("a page on no list") {
    busy.machine.memory().lru().remove(busy.machine.pte(busy.anon).pfn());
    CHECK(has(busy.complaint(11), "is not on a list"));
  }
  SECTION("a list in a circle") {
    oldest.lru_next = node.lruvec.list(LruList::kInactiveFile).head;
    CHECK(has(busy.complaint(11), "in a circle"));
  }
  SECTION("a list cut short") {
    busy.page(Pfn(node.lruvec.list(LruList::kInactiveFile).head)).lru_next = kNoPage;
    CHECK(has(busy.complaint(11), "the counter says"));
  }
  SECTION("a page that is locked in memory and may be evicted") {
    busy.page(busy.anon).set(PageFlag::kMlocked);
    CHECK(has(busy.complaint(11), "is locked"));
  }
}

TEST_CASE("verify 12: wrong counters are noticed") {
  Busy busy;
  MemoryUse& use = busy.use();
  const std::pair<uint32_t MemoryUse::*, const char*> counters[] = {
      {&MemoryUse::total_vm, "total_vm"}, {&MemoryUse::data_vm, "data_vm"},     {&MemoryUse::stack_vm, "stack_vm"},
      {&MemoryUse::exec_vm, "exec_vm"},   {&MemoryUse::locked_vm, "locked_vm"}, {&MemoryUse::anon_rss, "anon_rss"},
      {&MemoryUse::file_rss, "file_rss"}, {&MemoryUse::shmem_rss, "shmem_rss"}};
  for (const auto& [counter, name] : counters) {
    ++(use.*counter);
    use.hiwater_rss += 1;
    CHECK(has(busy.complaint(12), name));
    --(use.*counter);
  }
  use.hiwater_rss = 1;
  CHECK(has(busy.complaint(12), "hiwater_rss"));
}

TEST_CASE("verify 13: page tables that are lost, shared or useless are noticed") {
  Busy busy;
  AddressSpace& mm = busy.machine.mm();
  SECTION("a frame marked as a table that no directory reaches") {
    REQUIRE(busy.machine.pages().alloc_table());
    CHECK(has(busy.complaint(13, 6), "0 directories reach it"));
  }
  SECTION("a table for no area") {
    REQUIRE(mm.tables().find_or_create(VirtAddr(0x50000000)));
    CHECK(has(busy.complaint(13), "serves no area"));
  }
  SECTION("a kernel entry that differs") {
    busy.directory_entry(1000) = Pte(0x1234567);
    CHECK(has(busy.complaint(13), "differs from the kernel's"));
  }
  SECTION("a directory entry that the program could not use") {
    Pte& directory_entry = busy.directory_entry(mmu::pgd_index(busy.anon));
    directory_entry = directory_entry.without(Pte::kUser);
    const auto lines = verify(busy.machine.memory());
    CHECK(std::any_of(lines.begin(), lines.end(),
                      [](const std::string& line) { return has(line, "invariant 13: directory entry 10000000"); }));
  }
}

TEST_CASE("verify: the pages of several address spaces are counted together") {
  Busy busy;
  auto other = *AddressSpace::create(busy.machine.memory(), {});
  const auto mapped = other->mmap(MmapRequest{.addr = {},
                                              .length = bytes_of(8),
                                              .prot = kRead,
                                              .flags = MapFlag::kPrivate,
                                              .file = busy.file.file,
                                              .pgoff = 0},
                                  busy.machine.task);
  REQUIRE(mapped);
  REQUIRE(get_user_page(*other, *mapped, mmu::Access::kRead, busy.machine.task));
  CHECK(busy.machine.page_at(busy.text).mapcount == 3);  // text, shared and the other space
  CHECK(verify(busy.machine.memory()).empty());
  other.reset();
  CHECK(verify(busy.machine.memory()).empty());
}

TEST_CASE(
    "verify: at level 1 a broken invariant ends the run after the next memory call, at level 2 after the next fault") {
  Busy busy;
  ++busy.use().total_vm;
  busy.machine.memory().set_verify_level(VerifyLevel::kMmCalls);
  CHECK(has(fl::test::message_of_death([&] { (void)busy.machine.mm().munmap(busy.zero, bytes_of(1)); }),
            "invariant 12: total_vm"));
  CHECK(fl::test::message_of_death([&] { busy.machine.writes(busy.zero, 1); }).empty());
  busy.machine.memory().set_verify_level(VerifyLevel::kFaults);
  CHECK(has(fl::test::message_of_death([&] { busy.machine.writes(busy.zero, 1); }), "invariant 12: total_vm"));
  busy.machine.memory().set_verify_level(VerifyLevel::kOff);
}

TEST_CASE("verify 15: a translation that outlived its entry's rights is noticed") {
  Busy busy;
  busy.machine.store(busy.anon, 1);
  REQUIRE(busy.machine.problems().empty());
  SECTION("the entry lost its W bit") {
    busy.entry(busy.anon) = busy.entry(busy.anon).without(Pte::kWritable);
    CHECK(has(busy.complaint(15), "allows no stores"));
  }
  SECTION("the entry lost its A bit") {
    busy.entry(busy.anon) = busy.entry(busy.anon).without(Pte::kAccessed);
    CHECK(has(busy.complaint(15), "has no A bit"));
  }
  SECTION("the entry maps another frame") {
    busy.machine.tlb.cached[busy.anon.vpn()] = busy.entry(busy.zero);
    CHECK(has(busy.complaint(15), "maps another frame"));
  }
  SECTION("the page is gone") {
    const auto old = busy.machine.tlb.cached;
    REQUIRE(busy.machine.mm().munmap(busy.anon, bytes_of(4)));
    CHECK(busy.machine.problems().empty());
    busy.machine.tlb.cached = old;  // as if the flush had been forgotten
    CHECK(has(busy.complaint(15), "is gone"));
  }
  SECTION("an entry that gained rights needs no flush") {
    busy.machine.load(busy.text + bytes_of(1));
    busy.machine.tlb.cached[busy.anon.vpn()] = busy.entry(busy.anon).without(Pte::kWritable);
    CHECK(busy.machine.problems().empty());
  }
}

TEST_CASE("verify 16: translated code of a frame that is free is noticed") {
  Busy busy;
  const Pfn frame = busy.machine.pte(busy.anon).pfn();
  busy.machine.tlb.code.insert(frame);
  REQUIRE(busy.machine.problems().empty());
  REQUIRE(busy.machine.mm().munmap(busy.anon, bytes_of(4)));
  CHECK(busy.machine.problems().empty());
  busy.machine.tlb.code.insert(frame);  // as if code_changed had been forgotten
  CHECK(has(busy.complaint(16), "its translated code may still run"));
}

}  // namespace fl::vm::test

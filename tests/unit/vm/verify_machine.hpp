// For the tests of the verifier: a machine in use, parts of which are broken on purpose and put right at the end.
#pragma once

#include <catch2/catch_test_macros.hpp>
#include <functional>
#include <string>
#include <vector>

#include "tests/unit/vm/vm_machine.hpp"

namespace fl::vm::test {

// A machine with some of everything: anonymous memory, zero pages, a private and a shared file, shared memory,
// PROT_NONE.
struct Busy {
  Machine machine;
  TestFile file = machine.new_file(8);
  VirtAddr anon, zero, text, shared, shmem, none;
  std::vector<std::function<void()>> repairs;
  explicit Busy(const KernelProfile& profile = KernelProfile::i386_6_1()) : machine(256, profile) {
    anon = machine.map_anon(0x10000000, 4);
    machine.writes(anon, 4);
    zero = machine.map_anon(0x10010000, 4);
    machine.reads(zero, 4);
    text = machine.map(0x10020000, 8, kRead | kExec, MapFlag::kPrivate, file.file);
    machine.reads(text, 1);
    shared = machine.map(0x10030000, 4, kRw, MapFlag::kShared, file.file);
    machine.writes(shared, 2);
    shmem = machine.map(0x10040000, 4, kRw, kAnonShared);
    machine.writes(shmem, 2);
    none = machine.map_anon(0x10050000, 2);
    machine.writes(none, 2);
    REQUIRE(machine.mm().mprotect(none, bytes_of(2), 0, machine.task));
    REQUIRE(verify(machine.memory()).empty());
  }
  ~Busy() {
    // The machine must be able to end.
    for (auto repair = repairs.rbegin(); repair != repairs.rend(); ++repair) {
      (*repair)();
    }
  }
  // Something that a test is going to break; it is put right at the end.
  template <typename T>
  T& spoil(T& thing) {
    repairs.push_back([&thing, old = thing] { thing = old; });
    return thing;
  }
  mmu::Pte& entry(VirtAddr va) { return spoil(*machine.mm().tables().find(va)); }
  Page& page(VirtAddr va) { return spoil(machine.page_at(va)); }
  Page& page(Pfn pfn) { return spoil(machine.memory().page(pfn)); }
  VmArea& area(VirtAddr va) {
    VmArea& found = *machine.mm().areas().lookup(va);
    spoil(found.flags), spoil(found.prev), spoil(found.end), spoil(found.max_gap), spoil(found.anon_vma);
    return found;
  }
  MemoryUse& use() { return spoil(machine.mm().use_mutable()); }
  mmu::Pte& directory_entry(uint32_t index) {
    return spoil(reinterpret_cast<mmu::Pte*>(machine.ram().frame(machine.mm().tables().directory()))[index]);
  }
  // The lines about an invariant; all lines must be about it or about `other`.
  std::string complaint(int invariant, int other = 0) {
    std::string lines;
    for (const std::string& line : verify(machine.memory())) {
      if (line.starts_with(fmt::format("invariant {}:", invariant))) {
        lines += line + "\n";
      } else if (!line.starts_with(fmt::format("invariant {}:", other))) {
        return "unexpected: " + line;
      }
    }
    return lines;
  }
};

inline bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// The head of a free block of the buddy system, of the smallest order that has any.
inline Pfn free_block(PageAllocator& pages) {
  for (uint32_t order = 0; order <= kMaxOrder; ++order) {
    for (const PageList& list : pages.nodes()[0].zone(ZoneType::kDma).free_area[order].lists) {
      if (!list.empty()) {
        return Pfn(list.head);
      }
    }
  }
  FL_CHECK(false, "no free block");
}

}  // namespace fl::vm::test

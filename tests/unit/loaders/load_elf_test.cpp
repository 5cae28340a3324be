// Mapping segments: bss in all its shapes, static-PIE, heap placement, images that cannot be mapped.
#include "loaders/load_elf.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "tests/unit/loaders/elf_builder.hpp"
#include "tests/unit/loaders/loader_machine.hpp"

namespace fl::loaders::test {
namespace {

using vm::KernelProfile;
using Lines = std::vector<std::string>;

Result<LoadedProgram> load(LoaderMachine& machine, const ElfBuilder::Bytes& bytes) {
  machine.new_space({});
  return machine.load(machine.request(machine.files.add("p", bytes)));
}

TEST_CASE("load_elf: the tail of the last file page is cleared, whole pages of bss are anonymous") {
  const KernelProfile* profile = GENERATE(&KernelProfile::i386_6_1(), &KernelProfile::compat_6_18());
  LoaderMachine machine(*profile);
  REQUIRE(load(machine, ElfBuilder()
                            .load(0x08048000, 0, 0x1000, 0x1000, PF_R | PF_X)
                            .load(0x08049ff0, 0x1ff0, 0x30, 0x2234, PF_R | PF_W)
                            .stack(PF_R | PF_W)
                            .build()));
  CHECK(machine.log.lines.size() == 2);
  CHECK(machine.log.lines.at(1) == "kernel write 0804a");
  CHECK(machine.maps().at(1) == "08049000-0804b000 rw-p 1 p");
  CHECK(machine.maps().at(2) == "0804b000-0804d000 rw-p 0 ");
  CHECK(machine.mm().layout().brk == VirtAddr(0x0804d000));
  CHECK(machine.word(VirtAddr(0x0804a01c)) == 0x11111111);
  CHECK(machine.word(VirtAddr(0x0804a020)) == 0);
  CHECK(machine.word(VirtAddr(0x0804affc)) == 0);
  CHECK(machine.word(VirtAddr(0x0804b000)) == 0);
}

TEST_CASE("load_elf: a bss that begins on a page boundary takes no fault") {
  const KernelProfile* profile = GENERATE(&KernelProfile::i386_6_1(), &KernelProfile::compat_6_18());
  LoaderMachine machine(*profile);
  REQUIRE(load(machine, ElfBuilder().load(0x08048000, 0, 0x1000, 0x3000, PF_R | PF_W).stack(PF_R).build()));
  CHECK(machine.log.lines.size() == 1);
  CHECK(machine.maps().at(1) == "08049000-0804b000 rw-p 0 ");
}

TEST_CASE("load_elf: a program without bss takes no fault either") {
  LoaderMachine machine;
  REQUIRE(load(machine, ElfBuilder().load(0x08048000, 0, 0x234, 0x234, PF_R | PF_W).stack(PF_R).build()));
  CHECK(machine.log.lines.size() == 1);
}

TEST_CASE("load_elf: an executable segment has an executable bss") {
  const KernelProfile* profile = GENERATE(&KernelProfile::i386_6_1(), &KernelProfile::compat_6_18());
  LoaderMachine machine(*profile);
  REQUIRE(load(machine, ElfBuilder().load(0x08048000, 0, 0x1000, 0x2000, PF_R | PF_W | PF_X).stack(PF_R).build()));
  CHECK(machine.maps().at(1) == "08049000-0804a000 rwxp 0 ");
}

TEST_CASE("load_elf: two segments may each have a bss") {
  const auto bytes = ElfBuilder()
                         .load(0x08048000, 0, 0x800, 0x3000, PF_R | PF_W)
                         .load(0x08050000, 0x1000, 0x800, 0x2000, PF_R | PF_W)
                         .stack(PF_R | PF_W)
                         .build();
  const KernelProfile* profile = GENERATE(&KernelProfile::i386_6_1(), &KernelProfile::compat_6_18());
  LoaderMachine machine(*profile);
  REQUIRE(load(machine, bytes));
  CHECK(Lines(machine.log.lines.begin() + 1, machine.log.lines.end()) ==
        Lines{"kernel write 08048", "kernel write 08050"});
  const Lines maps = machine.maps();
  CHECK(maps.at(0) == "08048000-08049000 rw-p 0 p");
  CHECK(maps.at(1) == "08049000-0804b000 rw-p 0 ");
  CHECK(maps.at(2) == "08050000-08051000 rw-p 1 p");
  CHECK(maps.at(3) == "08051000-08052000 rw-p 0 ");
  CHECK(machine.word(VirtAddr(0x08048800)) == 0);
}

TEST_CASE("load_elf: a tail that cannot be written is ignored") {
  const KernelProfile* profile = GENERATE(&KernelProfile::i386_6_1(), &KernelProfile::compat_6_18());
  LoaderMachine machine(*profile);
  REQUIRE(load(machine, ElfBuilder().load(0x08048000, 0, 0x800, 0x1000, PF_R).stack(PF_R).build()));
  CHECK(machine.log.lines.back() == "kernel write 08048 refused");
  CHECK(machine.counters.minor == 1);
}

TEST_CASE("load_elf: a writable tail behind the end of the file is ignored on 6.1 and fatal on 6.18") {
  auto bytes = ElfBuilder().load(0x08048000, 0, 0x1800, 0x2000, PF_R | PF_W).stack(PF_R).build();
  bytes.resize(0x1000);
  LoaderMachine old(KernelProfile::i386_6_1());
  CHECK(load(old, bytes).has_value());
  LoaderMachine recent(KernelProfile::compat_6_18());
  CHECK(load(recent, bytes).error() == Errno::kEFAULT);
}

TEST_CASE("load_elf: a segment of bss alone is anonymous") {
  const KernelProfile* profile = GENERATE(&KernelProfile::i386_6_1(), &KernelProfile::compat_6_18());
  LoaderMachine machine(*profile);
  REQUIRE(load(machine, ElfBuilder()
                            .load(0x08048000, 0, 0x1000, 0x1000, PF_R | PF_X)
                            .load(0x0804a123, 0, 0, 0x1000, PF_R | PF_W)
                            .stack(PF_R)
                            .build()));
  CHECK(machine.maps().at(1) == "0804a000-0804c000 rw-p 0 ");
  CHECK(machine.log.lines.size() == 1);
  CHECK(machine.mm().layout().brk == VirtAddr(0x0804c000));
}

TEST_CASE("load_elf: a static-PIE ends at the mmap top, its heap is far below") {
  LoaderMachine old(KernelProfile::i386_6_1());
  const auto on_6_1 = load(old, static_pie());
  REQUIRE(on_6_1.has_value());
  CHECK(on_6_1->entry == VirtAddr(0xb7ffc000 + 0x1010));
  CHECK(old.mm().layout().brk == VirtAddr(0x00400000));

  LoaderMachine recent(KernelProfile::compat_6_18());
  const auto on_6_18 = load(recent, static_pie());
  REQUIRE(on_6_18.has_value());
  CHECK(on_6_18->entry == VirtAddr(0xb7ffa000 + 0x1010));
  CHECK(recent.maps() == Lines{"b7ff2000-b7ff6000 r--p 0 [vvar]", "b7ff6000-b7ff8000 r--p 0 [vvar_vclock]",
                               "b7ff8000-b7ffa000 r-xp 0 [vdso]", "b7ffa000-b7ffb000 r--p 0 p",
                               "b7ffb000-b7ffc000 r-xp 1 p", "b7ffc000-b7ffd000 rw-p 2 p", "b7ffd000-b7ffe000 rw-p 0 ",
                               "bffdd000-bfffe000 rw-p 0 [stack]"});
  CHECK(recent.mm().layout().brk == VirtAddr(0x56555000));
  CHECK(read_stack(recent, on_6_18->stack_pointer).aux(AT_PHDR) == 0xb7ffa034);
  CHECK(recent.log.lines.at(1) == "kernel write b7ffc");
}

TEST_CASE("load_elf: the alignment of a static-PIE is honoured") {
  LoaderMachine old(KernelProfile::i386_6_1());
  CHECK(load(old, static_pie(0x10000)).value().entry == VirtAddr(0xb7ff0000 + 0x1010));
  // The vDSO stays at the top.
  CHECK(old.maps().at(5) == "b7ffe000-b8000000 r-xp 0 [vdso]");
  CHECK(load(old, static_pie(0x100000)).value().entry == VirtAddr(0xb7f00000 + 0x1010));
  LoaderMachine recent(KernelProfile::compat_6_18());
  CHECK(load(recent, static_pie(0x10000)).value().entry == VirtAddr(0xb7ff0000 + 0x1010));
}

TEST_CASE("load_elf: the heap does not merge with the bss below it") {
  LoaderMachine machine;
  REQUIRE(load(machine, ElfBuilder().load(0x08048000, 0, 0x1000, 0x3000, PF_R | PF_W).stack(PF_R).build()));
  vm::FaultCounters task;
  CHECK(machine.mm().brk(VirtAddr(0x0804c000), task) == VirtAddr(0x0804c000));
  CHECK(machine.mm().brk(VirtAddr(0x0804d800), task) == VirtAddr(0x0804d800));
  CHECK(machine.maps().at(1) == "08049000-0804b000 rw-p 0 ");
  CHECK(machine.maps().at(2) == "0804b000-0804e000 rw-p 0 ");
}

TEST_CASE("load_elf: holes between segments stay unmapped") {
  LoaderMachine machine;
  REQUIRE(load(machine, ElfBuilder(ET_DYN)
                            .load(0, 0, 0x1000, 0x1000, PF_R)
                            .load(0x8000, 0x1000, 0x1000, 0x1000, PF_R)
                            .stack(PF_R)
                            .build()));
  // The search for the vDSO's place finds the hole.
  CHECK(machine.maps() == Lines{"b7ff7000-b7ff8000 r--p 0 p", "b7ff9000-b7ffd000 r--p 0 [vvar]",
                                "b7ffd000-b7fff000 r-xp 0 [vdso]", "b7fff000-b8000000 r--p 1 p",
                                "bffdf000-c0000000 rw-p 0 [stack]"});
}

TEST_CASE("load_elf: images that cannot be mapped are refused") {
  LoaderMachine machine;
  const auto error = [&](ElfBuilder builder) { return load(machine, builder.stack(PF_R).build()).error(); };
  // Below the lowest address that may be mapped.
  CHECK(error(ElfBuilder().load(0, 0, 0x100, 0x100, PF_R)) == Errno::kEPERM);
  CHECK(error(ElfBuilder().load(0x1000, 0, 0, 0x100, PF_R | PF_W)) == Errno::kEPERM);
  // Over the stack.
  CHECK(error(ElfBuilder().load(0xbffff000, 0, 0x100, 0x100, PF_R)) == Errno::kEEXIST);
  // Kernel space, sizes that wrap, more memory in the file than in memory.
  CHECK(error(ElfBuilder().load(0xc0000000, 0, 0x100, 0x100, PF_R)) == Errno::kEINVAL);
  CHECK(error(ElfBuilder().load(0x08048000, 0, 0x100, 0xfffff000, PF_R)) == Errno::kEINVAL);
  CHECK(error(ElfBuilder().load(0x08048000, 0, 0x200, 0x100, PF_R)) == Errno::kEINVAL);
  // Offset and address disagree within the page.
  CHECK(error(ElfBuilder().load(0x08048000, 0x10, 0x100, 0x100, PF_R)) == Errno::kEINVAL);
  // Entry in the kernel.
  CHECK(error(ElfBuilder().load(0x08048000, 0, 0x100, 0x100, PF_R).entry(0xc0000000)) == Errno::kEINVAL);
}

TEST_CASE("load_elf: a program without segments is loaded, though it cannot run") {
  LoaderMachine machine;
  const auto program = load(machine, ElfBuilder().stack(PF_R | PF_W).entry(0x1234).build());
  REQUIRE(program.has_value());
  CHECK(program->entry == VirtAddr(0x1234));
  CHECK(machine.maps().size() == 3);
}

}  // namespace
}  // namespace fl::loaders::test

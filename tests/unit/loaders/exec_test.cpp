// load_program as a whole: the places of everything, the faults it takes, scripts, errors. Numbers that are given
// without a source were measured on the kernels that the profiles imitate.
#include "loaders/exec.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "tests/support/malformed_elf.hpp"
#include "tests/unit/loaders/elf_builder.hpp"
#include "tests/unit/loaders/loader_machine.hpp"

namespace fl::loaders::test {
namespace {

using vm::KernelProfile;
using Lines = std::vector<std::string>;

TEST_CASE("exec: a small program on 6.1 takes the argument page and the tail of its data") {
  LoaderMachine machine;
  const auto file = machine.files.add("./nolibc", small_program());
  const auto program = machine.load(machine.request(file));
  REQUIRE(program.has_value());
  CHECK(machine.log.lines == Lines{"gup write bffff", "kernel write 0804a"});
  CHECK(machine.counters.minor == 2);
  CHECK(machine.counters.major == 0);
  CHECK(machine.maps() == Lines{"08048000-08049000 r--p 0 ./nolibc", "08049000-0804a000 r-xp 1 ./nolibc",
                                "0804a000-0804b000 rw-p 2 ./nolibc", "b7ffa000-b7ffe000 r--p 0 [vvar]",
                                "b7ffe000-b8000000 r-xp 0 [vdso]", "bffdf000-c0000000 rw-p 0 [stack]"});
  CHECK(program->entry == VirtAddr(0x08049000));
  CHECK(program->comm == "nolibc");
  CHECK(program->exe == file);
  CHECK_FALSE(program->read_implies_exec);
  CHECK(program->vdso_base == VirtAddr(0xb7ffe000));
  const vm::ProgramLayout& layout = machine.mm().layout();
  CHECK(layout.start_code == VirtAddr(0x08049000));
  CHECK(layout.end_code == VirtAddr(0x08049020));
  CHECK(layout.start_data == VirtAddr(0x0804a000));
  CHECK(layout.end_data == VirtAddr(0x0804a004));
  CHECK(layout.start_brk == VirtAddr(0x0804b000));
  CHECK(layout.brk == layout.start_brk);
  CHECK(layout.start_stack == program->stack_pointer);
}

TEST_CASE("exec: on 6.18 vvar has two areas and the vDSO stands at the mmap top") {
  LoaderMachine machine(KernelProfile::compat_6_18());
  const auto program = machine.load(machine.request(machine.files.add("./nolibc", small_program())));
  REQUIRE(program.has_value());
  CHECK(machine.log.lines == Lines{"gup write bfffd", "kernel write 0804a"});
  CHECK(machine.maps() == Lines{"08048000-08049000 r--p 0 ./nolibc", "08049000-0804a000 r-xp 1 ./nolibc",
                                "0804a000-0804b000 rw-p 2 ./nolibc", "b7ff6000-b7ffa000 r--p 0 [vvar]",
                                "b7ffa000-b7ffc000 r--p 0 [vvar_vclock]", "b7ffc000-b7ffe000 r-xp 0 [vdso]",
                                "bffdd000-bfffe000 rw-p 0 [stack]"});
}

TEST_CASE("exec: without PT_GNU_STACK everything readable is executable") {
  const KernelProfile* profile = GENERATE(&KernelProfile::i386_6_1(), &KernelProfile::compat_6_18());
  LoaderMachine machine(*profile);
  const auto bytes = ElfBuilder().load(0x08048000, 0, 0x100, 0x3000, PF_R | PF_W).entry(0x08048054).build();
  const auto program = machine.load(machine.request(machine.files.add("p", bytes)));
  REQUIRE(program.has_value());
  CHECK(program->read_implies_exec);
  CHECK(machine.mm().read_implies_exec());
  const Lines maps = machine.maps();
  CHECK(maps.at(0) == "08048000-08049000 rwxp 0 p");
  CHECK(maps.at(1) == "08049000-0804b000 rwxp 0 ");
  CHECK(maps.back().find("rwxp 0 [stack]") != std::string::npos);
}

TEST_CASE("exec: an executable PT_GNU_STACK changes only the stack") {
  LoaderMachine machine;
  const auto bytes = ElfBuilder().load(0x08048000, 0, 0x100, 0x3000, PF_R | PF_W).stack(PF_R | PF_W | PF_X).build();
  const auto program = machine.load(machine.request(machine.files.add("p", bytes)));
  REQUIRE(program.has_value());
  CHECK_FALSE(program->read_implies_exec);
  CHECK(machine.maps().at(1) == "08049000-0804b000 rw-p 0 ");
  CHECK(machine.maps().back() == "bffdf000-c0000000 rwxp 0 [stack]");
}

TEST_CASE("exec: a script runs its interpreter with the line's argument and the script's path") {
  LoaderMachine machine;
  const auto interpreter = machine.files.add("/bin/sh", small_program());
  ExecRequest request = machine.request(machine.files.add_text("./dir/hello.script", "#! /bin/sh  -e x \nrest"));
  request.argv = {"zero", "one", "two"};
  const auto program = machine.load(request);
  REQUIRE(program.has_value());
  const StackContents stack = read_stack(machine, program->stack_pointer);
  CHECK(stack.argv == Lines{"/bin/sh", "-e x", "./dir/hello.script", "one", "two"});
  CHECK(stack.envp == Lines{"A=1"});
  CHECK(machine.text(VirtAddr(stack.aux(AT_EXECFN))) == "./dir/hello.script");
  CHECK(program->comm == "hello.script");
  CHECK(program->exe == interpreter);
  CHECK(machine.log.lines == Lines{"gup write bffff", "kernel write 0804a"});
}

TEST_CASE("exec: an empty argv becomes one empty argument, and a script replaces it") {
  LoaderMachine machine;
  ExecRequest request = machine.request(machine.files.add("/bin/p", small_program()));
  request.argv.clear();
  CHECK(read_stack(machine, machine.load(request).value().stack_pointer).argv == Lines{""});
  machine.new_space({});
  request.file = machine.files.add_text("s", "#!/bin/p");
  request.path = "s";
  const auto program = machine.load(request);
  // Without a newline the line must end before the file's 256 bytes do, which the zeros behind it provide.
  REQUIRE(program.has_value());
  CHECK(read_stack(machine, program->stack_pointer).argv == Lines{"/bin/p", "s"});
}

TEST_CASE("exec: five scripts may run one another, a sixth is ELOOP") {
  LoaderMachine machine;
  machine.files.add("0", small_program());
  for (int i = 1; i <= 6; ++i) {
    machine.files.add_text(std::to_string(i), "#!" + std::to_string(i - 1) + "\n");
  }
  const auto five = machine.load(machine.request(machine.files.open_program("5").value()));
  REQUIRE(five.has_value());
  CHECK(read_stack(machine, five->stack_pointer).argv == Lines{"0", "1", "2", "3", "4", "5"});
  machine.new_space({});
  const auto six = machine.load(machine.request(machine.files.open_program("6").value()));
  CHECK(six.error() == Errno::kELOOP);
  machine.files.add_text("self", "#!self\n");
  machine.new_space({});
  CHECK(machine.load(machine.request(machine.files.open_program("self").value())).error() == Errno::kELOOP);
}

TEST_CASE("exec: a script's interpreter must exist and be a program") {
  LoaderMachine machine;
  const auto load = [&](const std::string& text) {
    machine.new_space({});
    return machine.load(machine.request(machine.files.add_text("s", text))).error();
  };
  CHECK(load("#!/nowhere\n") == Errno::kENOENT);
  machine.files.add_text("/bin/text", "no program");
  CHECK(load("#!/bin/text\n") == Errno::kENOEXEC);
  CHECK(load("#!\n") == Errno::kENOEXEC);
  CHECK(load("no program") == Errno::kENOEXEC);
  CHECK(load("") == Errno::kENOEXEC);
}

TEST_CASE("exec: PT_INTERP is mapped at the top and runs first") {
  LoaderMachine machine(KernelProfile::compat_6_18());
  machine.files.add("/lib/ld.so", static_pie());
  const auto bytes = ElfBuilder()
                         .load(0x08048000, 0, 0x1000, 0x1000, PF_R | PF_X)
                         .interpreter("/lib/ld.so")
                         .stack(PF_R | PF_W)
                         .entry(0x08048100)
                         .build();
  const auto program = machine.load(machine.request(machine.files.add("p", bytes)));
  REQUIRE(program.has_value());
  CHECK(program->entry == VirtAddr(0xb7ffa000 + 0x1010));
  const StackContents stack = read_stack(machine, program->stack_pointer);
  CHECK(stack.aux(AT_BASE) == 0xb7ffa000);
  CHECK(stack.aux(AT_ENTRY) == 0x08048100);
  CHECK(program->vdso_base == VirtAddr(0xb7ff8000));
  CHECK(machine.mm().layout().start_brk == VirtAddr(0x08049000));

  machine.new_space({});
  const auto pie = ElfBuilder(ET_DYN).load(0, 0, 0x1000, 0x1000, PF_R).interpreter("/lib/ld.so").stack(PF_R).build();
  const auto moved = machine.load(machine.request(machine.files.add("pie", pie)));
  REQUIRE(moved.has_value());
  CHECK(read_stack(machine, moved->stack_pointer).aux(AT_PHDR) == 0x56555000 + sizeof(Elf32_Ehdr));
  CHECK(machine.mm().layout().start_brk == VirtAddr(0x56556000));
}

TEST_CASE("exec: a bad PT_INTERP is refused") {
  LoaderMachine machine;
  const auto load = [&](const std::string& path) {
    machine.new_space({});
    const auto bytes = ElfBuilder().load(0x08048000, 0, 0x1000, 0x1000, PF_R | PF_X).interpreter(path).build();
    return machine.load(machine.request(machine.files.add("p", bytes))).error();
  };
  CHECK(load("/nowhere") == Errno::kENOENT);
  machine.files.add_text("/short", "no program");
  CHECK(load("/short") == Errno::kEIO);
  machine.files.add_text("/text", std::string(100, 'x'));
  CHECK(load("/text") == Errno::kELIBBAD);
}

TEST_CASE("exec: every damaged file gives a program or an error, and leaves nothing behind") {
  const KernelProfile* profile = GENERATE(&KernelProfile::i386_6_1(), &KernelProfile::compat_6_18());
  LoaderMachine machine(*profile);
  auto files = fl::test::malformed_elf_files();
  const auto mutated = fl::test::mutated_elf_files(1000, 1);
  files.insert(files.end(), mutated.begin(), mutated.end());
  size_t loaded = 0;
  uint32_t free_frames = 0;
  for (const auto& file : files) {
    INFO(file.name);
    const auto mapped = machine.files.add("p", file.bytes);
    machine.new_space({});
    if (free_frames == 0) {
      free_frames = machine.unlost_frames();
    }
    const auto program = machine.load(machine.request(mapped));
    if (program.has_value()) {
      ++loaded;
      CHECK(program->entry.value() < 0xc0000000u);
    }
    machine.new_space({});
    CHECK(machine.unlost_frames() == free_frames);
  }
  CHECK(loaded > 100);
  CHECK(loaded < files.size() - 100);
}

TEST_CASE("exec: when memory runs out at any allocation, it is an error and no frame is lost") {
  LoaderMachine machine(KernelProfile::compat_6_18());
  const auto file = machine.files.add("p", small_program());
  const ExecRequest request = machine.request(file);
  REQUIRE(machine.load(request).has_value());  // the file's pages are cached from here on
  machine.new_space({});
  const uint32_t free_frames = machine.memory().pages().free_frames();
  uint32_t failures = 0;
  for (uint32_t n = 1; n < 100; ++n) {
    machine.memory().pages().fail_allocation(n);
    const auto program = machine.load(request);
    machine.memory().pages().fail_allocation(0);
    const bool ok = program.has_value();
    machine.new_space({});
    REQUIRE(machine.memory().pages().free_frames() == free_frames);
    if (ok) {
      break;
    }
    ++failures;
  }
  CHECK(failures >= 4);  // two tables, the argument page, the data page
  CHECK(failures < 20);
}

TEST_CASE("exec: with ASLR each seed gives one layout, within Linux's ranges") {
  const KernelProfile* profile = GENERATE(&KernelProfile::i386_6_1(), &KernelProfile::compat_6_18());
  LoaderMachine machine(*profile);
  ExecRequest request = machine.request(machine.files.add("p", static_pie()));
  std::vector<Lines> seen;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    request.aslr_seed = seed;
    machine.new_space({});
    const auto program = machine.load(request);
    REQUIRE(program.has_value());
    CHECK(program->stack_pointer.value() % 16 == 0);
    CHECK(program->stack_pointer < profile->stack_top);
    CHECK(program->stack_pointer > profile->stack_top - (0x800 + 4) * kPageSize);
    CHECK(machine.mm().mmap_base() <= profile->mmap_base);
    CHECK(machine.mm().mmap_base() > profile->mmap_base - 0x100 * kPageSize);
    const VirtAddr brk = machine.mm().layout().brk;
    CHECK(brk >= profile->et_dyn_base);
    CHECK(brk < profile->et_dyn_base + (32u << 20) + kPageSize);
    const Lines maps = machine.maps();
    machine.new_space({});
    REQUIRE(machine.load(request).has_value());
    CHECK(machine.maps() == maps);
    seen.push_back(maps);
  }
  std::sort(seen.begin(), seen.end());
  CHECK(std::unique(seen.begin(), seen.end()) - seen.begin() > 45);
}

TEST_CASE("exec: a larger stack limit lowers the mmap region") {
  LoaderMachine machine;
  machine.new_space({.stack = 256u << 20});
  REQUIRE(machine.load(machine.request(machine.files.add("p", small_program()))).has_value());
  // 256 MiB and the guard gap below the stack's top.
  CHECK(machine.mm().mmap_base() == VirtAddr(0xc0000000 - (256u << 20) - (1u << 20)));
  machine.new_space({.stack = vm::kUnlimited});
  REQUIRE(machine.load(machine.request(machine.files.open_program("p").value())).has_value());
  CHECK(machine.mm().mmap_base() == VirtAddr(0x20000000));
}

}  // namespace
}  // namespace fl::loaders::test

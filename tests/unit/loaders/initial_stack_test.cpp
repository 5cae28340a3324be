// Argument strings, the tables below them and the auxiliary vector: contents, places, limits, and the pages they fault.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "tests/unit/loaders/elf_builder.hpp"
#include "tests/unit/loaders/loader_machine.hpp"

namespace fl::loaders::test {
namespace {

using vm::KernelProfile;
using Lines = std::vector<std::string>;
using Numbers = std::vector<uint32_t>;

Numbers types(const StackContents& stack) {
  Numbers numbers;
  for (const auto& [type, value] : stack.auxv) {
    numbers.push_back(type);
  }
  return numbers;
}

TEST_CASE("initial stack: places are those that a real 6.18 kernel gave, 1 GiB lower") {
  LoaderMachine machine(KernelProfile::compat_6_18());
  ExecRequest request = machine.request(machine.files.add("./auxv", small_program()));
  const auto program = machine.load(request);
  REQUIRE(program.has_value());
  // env -i A=1 setarch -R ./auxv, a 32-bit program that printed these addresses.
  CHECK(program->stack_pointer == VirtAddr(0xffffdef0 - 0x40000000));
  const StackContents stack = read_stack(machine, program->stack_pointer);
  CHECK(stack.argv == Lines{"./auxv"});
  CHECK(stack.envp == Lines{"A=1"});
  CHECK(stack.argv0 == VirtAddr(0xffffdfe6 - 0x40000000));
  CHECK(stack.aux(AT_EXECFN) == 0xffffdff1 - 0x40000000);
  CHECK(stack.aux(AT_PLATFORM) == 0xffffdfdb - 0x40000000);
  CHECK(stack.aux(AT_RANDOM) == 0xffffdfcb - 0x40000000);
  CHECK(stack.aux(AT_SYSINFO_EHDR) == 0xf7ffc000 - 0x40000000);
  CHECK(stack.aux(AT_SYSINFO) == 0xf7ffc5e0 - 0x40000000);
  CHECK(types(stack) == Numbers{32, 33, 51, 16, 6, 17, 3, 4, 5, 7, 8, 9, 11, 12, 13, 14, 23, 25, 26, 31, 15, 27, 28});
  CHECK(stack.aux(27) == 0x1c);
  CHECK(stack.aux(28) == 0x20);
  const vm::ProgramLayout& layout = machine.mm().layout();
  CHECK(layout.arg_start == VirtAddr(0xffffdfe6 - 0x40000000));
  CHECK(layout.arg_end == VirtAddr(0xffffdfed - 0x40000000));
  CHECK(layout.env_start == layout.arg_end);
  CHECK(layout.env_end == VirtAddr(0xffffdff1 - 0x40000000));
}

TEST_CASE("initial stack: 6.1 has 22 auxv pairs in this order") {
  LoaderMachine machine;
  ExecRequest request = machine.request(machine.files.add("/bin/program", small_program()));
  request.uid = 1000;
  request.euid = 1001;
  request.gid = 1002;
  request.egid = 1003;
  request.hwcap = 0x178bfbff;
  request.hwcap2 = 2;
  request.min_signal_stack = 0xd30;
  const auto program = machine.load(request);
  REQUIRE(program.has_value());
  const StackContents stack = read_stack(machine, program->stack_pointer);
  CHECK(types(stack) == Numbers{32, 33, 51, 16, 6, 17, 3, 4, 5, 7, 8, 9, 11, 12, 13, 14, 23, 25, 26, 31, 15});
  CHECK(stack.aux(AT_PHDR) == 0x08048034);
  CHECK(stack.aux(AT_PHENT) == 32);
  CHECK(stack.aux(AT_PHNUM) == 4);
  CHECK(stack.aux(AT_PAGESZ) == 4096);
  CHECK(stack.aux(AT_CLKTCK) == 100);
  CHECK(stack.aux(AT_BASE) == 0);
  CHECK(stack.aux(AT_FLAGS) == 0);
  CHECK(stack.aux(AT_ENTRY) == 0x08049000);
  CHECK(stack.aux(AT_UID) == 1000);
  CHECK(stack.aux(AT_EUID) == 1001);
  CHECK(stack.aux(AT_GID) == 1002);
  CHECK(stack.aux(AT_EGID) == 1003);
  CHECK(stack.aux(AT_SECURE) == 0);
  CHECK(stack.aux(AT_HWCAP) == 0x178bfbff);
  CHECK(stack.aux(AT_HWCAP2) == 2);
  CHECK(stack.aux(AT_MINSIGSTKSZ) == 0xd30);
  CHECK(machine.text(VirtAddr(stack.aux(AT_PLATFORM))) == "i686");
  CHECK(machine.text(VirtAddr(stack.aux(AT_EXECFN))) == "/bin/program");
  CHECK(machine.word(VirtAddr(stack.aux(AT_RANDOM))) == 0x04030201);
  CHECK(machine.word(VirtAddr(stack.aux(AT_RANDOM) + 12)) == 0x100f0e0d);
  CHECK(stack.aux(AT_SYSINFO) == program->vdso.vsyscall.value());
  CHECK(program->stack_pointer.value() % 16 == 0);
}

TEST_CASE("initial stack: the signal trampolines lie in the vDSO; without one, AT_SYSINFO is not told") {
  LoaderMachine machine;
  ExecRequest request = machine.request(machine.files.add("p", small_program()));
  const auto with = machine.load(request);
  REQUIRE(with.has_value());
  for (const VirtAddr symbol : {with->vdso.sigreturn, with->vdso.rt_sigreturn, with->vdso.vsyscall}) {
    CHECK(symbol > with->vdso_base);
    CHECK(symbol < with->vdso_base + 2 * kPageSize);
  }
  CHECK(machine.word(with->vdso_base) == 0x464c457f);
  request.vdso = nullptr;
  machine.new_space({});
  const auto without = machine.load(request);
  REQUIRE(without.has_value());
  CHECK(without->vdso_base == VirtAddr(0));
  CHECK(types(read_stack(machine, without->stack_pointer)).front() == AT_MINSIGSTKSZ);
}

TEST_CASE("initial stack: the clock page is one frame that all programs read") {
  const KernelProfile* profile = GENERATE(&KernelProfile::i386_6_1(), &KernelProfile::compat_6_18());
  LoaderMachine machine(*profile);
  const auto program = machine.load(machine.request(machine.files.add("p", small_program())));
  REQUIRE(program.has_value());
  machine.vdso().clock_data()[8] = std::byte{42};
  const VirtAddr vvar = program->vdso_base - profile->vvar_pages * kPageSize;
  CHECK(machine.word(vvar + 8) == 42);
  machine.vdso().clock_data()[8] = std::byte{43};
  CHECK(machine.word(vvar + 8) == 43);
  // The other pages are there but have no frame.
  vm::FaultCounters counters;
  vm::UserAccess user(machine.mm(), counters);
  CHECK(user.get<uint32_t>(vvar + kPageSize).error() == Errno::kEFAULT);
  CHECK(counters.by_cause[static_cast<size_t>(vm::FaultCause::kBus)] == 1);
  CHECK(user.put(vvar, 1u).error() == Errno::kEFAULT);
}

TEST_CASE("initial stack: /proc/PID/auxv of an x86-64 kernel ends on an even pair") {
  LoaderMachine compat(KernelProfile::compat_6_18());
  // 208 bytes were read from it natively.
  CHECK(compat.load(compat.request(compat.files.add("p", small_program()))).value().auxv.size() == 52);
  LoaderMachine native;
  CHECK(native.load(native.request(native.files.add("p", small_program()))).value().auxv.size() == 44);
}

// The faults of exec with one variable of `length` bytes, as a count by mode.
struct Faults {
  uint64_t gup, kernel;
  bool operator==(const Faults&) const = default;
};
Faults faults_with_variable(const KernelProfile& profile, uint32_t length) {
  LoaderMachine machine(profile);
  ExecRequest request = machine.request(machine.files.add("./nolibc", small_program()));
  request.envp = {std::string(length, 'x')};
  REQUIRE(machine.load(request).has_value());
  CHECK(machine.counters.by_mode[static_cast<size_t>(vm::FaultMode::kUser)] == 0);
  return {machine.counters.by_mode[static_cast<size_t>(vm::FaultMode::kGup)],
          machine.counters.by_mode[static_cast<size_t>(vm::FaultMode::kKernel)] - 1};  // without the data page
}

TEST_CASE("initial stack: tables below the strings' page are one kernel fault more (6.18)") {
  // Measured natively with ./nolibc: 3 faults below 3830 bytes, 4 from there, 5 from 7926.
  const KernelProfile& profile = KernelProfile::compat_6_18();
  CHECK(faults_with_variable(profile, 0) == Faults{1, 0});
  CHECK(faults_with_variable(profile, 3829) == Faults{1, 0});
  CHECK(faults_with_variable(profile, 3830) == Faults{1, 1});
  CHECK(faults_with_variable(profile, 4069) == Faults{1, 1});
  CHECK(faults_with_variable(profile, 4070) == Faults{2, 0});
  CHECK(faults_with_variable(profile, 7925) == Faults{2, 0});
  CHECK(faults_with_variable(profile, 7926) == Faults{2, 1});
}

TEST_CASE("initial stack: tables below the strings' page are one kernel fault more (6.1)") {
  // Measured: 3 faults with 3800 bytes, 4 with 3850 to 4040; with 4060 two argument pages.
  const KernelProfile& profile = KernelProfile::i386_6_1();
  CHECK(faults_with_variable(profile, 3800) == Faults{1, 0});
  CHECK(faults_with_variable(profile, 3849) == Faults{1, 0});
  CHECK(faults_with_variable(profile, 3850) == Faults{1, 1});
  CHECK(faults_with_variable(profile, 4040) == Faults{1, 1});
  CHECK(faults_with_variable(profile, 4080) == Faults{2, 0});
}

TEST_CASE("initial stack: 64 KiB of environment fault 16 more argument pages, from the top down") {
  LoaderMachine machine;
  ExecRequest request = machine.request(machine.files.add("./nolibc", small_program()));
  request.envp = {std::string(65535, 'x')};
  const auto program = machine.load(request);
  REQUIRE(program.has_value());
  CHECK(machine.counters.by_mode[static_cast<size_t>(vm::FaultMode::kGup)] == 17);
  CHECK(machine.log.lines.at(0) == "gup write bffff");
  CHECK(machine.log.lines.at(1) == "gup write bfffe");
  CHECK(machine.log.lines.at(16) == "gup write bffef");
  // 17 pages of strings, 32 more.
  CHECK(machine.maps().back() == "bffcf000-c0000000 rw-p 0 [stack]");
  CHECK(read_stack(machine, program->stack_pointer).envp.at(0) == request.envp.at(0));
}

TEST_CASE("initial stack: many strings come back in their order") {
  LoaderMachine machine;
  ExecRequest request = machine.request(machine.files.add("p", small_program()));
  request.argv.clear();
  request.envp.clear();
  for (int i = 0; i < 2000; ++i) {
    request.argv.push_back("argument " + std::to_string(i));
    request.envp.push_back(i % 3 == 0 ? "" : "VARIABLE" + std::to_string(i) + "=" + std::string(i % 100, 'v'));
  }
  const auto program = machine.load(request);
  REQUIRE(program.has_value());
  const StackContents stack = read_stack(machine, program->stack_pointer);
  CHECK(stack.argv == request.argv);
  CHECK(stack.envp == request.envp);
}

TEST_CASE("argument strings: one string has at most 32 pages with its NUL") {
  LoaderMachine machine;
  ExecRequest request = machine.request(machine.files.add("p", small_program()));
  request.argv = {"p", std::string(32 * kPageSize - 1, 'a')};
  CHECK(machine.load(request).has_value());
  machine.new_space({});
  request.argv = {"p", std::string(32 * kPageSize, 'a')};
  CHECK(machine.load(request).error() == Errno::kE2BIG);
}

TEST_CASE("argument strings: all of them, with 4 bytes for each pointer, have a quarter of the stack's limit") {
  LoaderMachine machine;
  ExecRequest request = machine.request(machine.files.add("p", small_program()));
  request.envp.clear();
  // "p" as path and argv[0]: 4 bytes, one pointer. A limit of 1 MiB gives 256 KiB.
  const uint32_t room = (256u << 10) - 4 - 4;
  const auto fits = [&](uint32_t bytes, uint32_t stack_limit) {
    request.argv = {"p"};
    while (bytes > 0) {
      const uint32_t part = std::min(bytes, 100000u);
      // Its pointer and its NUL come out of the same room.
      request.argv.emplace_back(part - 5, 'a');
      bytes -= part;
    }
    machine.new_space({.stack = stack_limit});
    const auto program = machine.load(request);
    CHECK((program.has_value() || program.error() == Errno::kE2BIG));
    return program.has_value();
  };
  CHECK(fits(room, 1u << 20));
  CHECK_FALSE(fits(room + 1, 1u << 20));
  // Never less than 128 KiB, even where the stack could not hold more than that.
  CHECK(fits(131072 - 8, 256u << 10));
  CHECK_FALSE(fits(131072 - 7, 256u << 10));
  // But the stack's own limit holds for its pages.
  CHECK_FALSE(fits(100000, 16 * kPageSize));
}

TEST_CASE("argument strings: with a large stack limit 6 MiB are the most") {
  LoaderMachine machine;
  ExecRequest request = machine.request(machine.files.add("p", small_program()));
  request.envp.clear();
  request.argv.assign(63, std::string(99995, 'a'));  // 63 * 100000 = 6300000 > 6291456
  machine.new_space({.stack = vm::kUnlimited});
  CHECK(machine.load(request).error() == Errno::kE2BIG);
  request.argv.assign(62, std::string(99995, 'a'));
  machine.new_space({.stack = vm::kUnlimited});
  CHECK(machine.load(request).has_value());
}

}  // namespace
}  // namespace fl::loaders::test

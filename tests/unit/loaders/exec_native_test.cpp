// exec against the Linux that this test runs on: after execve and before the first instruction, the memory map, the
// borders in /proc/PID/stat, the registers, every byte of the stack, and the number of faults must be the same.
//
// Needs a 6.18 x86-64 kernel that runs i386 programs and allows ptrace; skipped elsewhere.
#include <elf.h>
#include <sys/utsname.h>

#include <catch2/catch_test_macros.hpp>
#include <cstring>

#include "tests/support/malformed_elf.hpp"
#include "tests/unit/loaders/elf_builder.hpp"
#include "tests/unit/loaders/loader_machine.hpp"
#include "tests/unit/loaders/native_exec.hpp"

namespace fl::loaders::test {
namespace {

using Lines = std::vector<std::string>;

struct Run {
  Lines argv = {"./p"};
  Lines envp = {"A=1"};
  uint32_t stack_limit = 8u << 20;
};

uint32_t word_of(const Bytes& bytes, size_t offset) {
  uint32_t word = 0;
  std::memcpy(&word, bytes.data() + offset, sizeof(word));
  return word;
}

// The native stack with what the kernel chose (processor, user, randomness) taken into the request, and pointers
// shifted.
Bytes adopt(const NativeExec& native, const Run& run, ExecRequest& request) {
  Bytes stack = native.stack;
  size_t at = 4 * (1 + run.argv.size() + 1 + run.envp.size() + 1);
  if (word_of(stack, 0) != run.argv.size()) {
    at += 4 * (word_of(stack, 0) - run.argv.size());
  }
  size_t end = at;
  for (; word_of(stack, end) != AT_NULL; end += 8) {
    const uint32_t value = word_of(stack, end + 4);
    switch (word_of(stack, end)) {
      case AT_HWCAP:
        request.hwcap = value;
        break;
      case AT_HWCAP2:
        request.hwcap2 = value;
        break;
      case AT_MINSIGSTKSZ:
        request.min_signal_stack = value;
        break;
      case AT_UID:
        request.uid = value;
        break;
      case AT_EUID:
        request.euid = value;
        break;
      case AT_GID:
        request.gid = value;
        break;
      case AT_EGID:
        request.egid = value;
        break;
      case AT_RANDOM:
        std::memcpy(request.at_random.data(), stack.data() + (shifted(value) - native.stack_pointer), 16);
        break;
      default:
        break;
    }
  }
  for (size_t offset = 0; offset < end; offset += 4) {
    const uint32_t moved = shifted(word_of(stack, offset));
    std::memcpy(stack.data() + offset, &moved, sizeof(moved));
  }
  return stack;
}

// The simulated machine has 3 GiB of user space, an i386 program on an x86-64 kernel 4 GiB: files that could use the
// rest, or whose place depends on its being there, cannot be compared. Nor can those that vm.mmap_min_addr decides.
bool depends_on_host(const Bytes& bytes) {
  Elf32_Ehdr header{};
  std::memcpy(&header, bytes.data(), std::min(bytes.size(), sizeof(header)));
  if (header.e_entry >= 0x80000000) {
    return true;
  }
  for (uint32_t i = 0; i < header.e_phnum; ++i) {
    const uint64_t at = uint64_t{header.e_phoff} + i * sizeof(Elf32_Phdr);
    Elf32_Phdr segment{};
    if (at + sizeof(segment) > bytes.size()) {
      return false;
    }
    std::memcpy(&segment, bytes.data() + at, sizeof(segment));
    const bool low = header.e_type == ET_EXEC && segment.p_vaddr >= kPageSize && segment.p_vaddr < vm::kMmapMinAddr;
    if (segment.p_type == PT_LOAD && (low || uint64_t{segment.p_vaddr} + segment.p_memsz > 0x80000000)) {
      return true;
    }
  }
  return false;
}

class Comparison {
 public:
  Comparison() {
    utsname host{};
    uname(&host);
    if (!std::string(host.release).starts_with("6.18.") || std::string(host.machine) != "x86_64") {
      SKIP("the reference is a 6.18 x86-64 kernel, this is " << host.release);
    }
    add("./p", small_program());
    const NativeResult native = run_natively({});
    if (!native.program.has_value()) {
      SKIP("this host does not run i386 programs under ptrace");
    }
  }

  void add(const std::string& path, const Bytes& bytes) {
    directory_.add(path, bytes);
    machine_.files.add(path, bytes);
  }
  void add_text(const std::string& path, const std::string& text) {
    const auto* data = reinterpret_cast<const std::byte*>(text.data());
    add(path, Bytes(data, data + text.size()));
  }
  NativeResult run_natively(const Run& run) {
    return execute_natively(directory_.path(), "./p", run.argv, run.envp, run.stack_limit);
  }

  // Runs ./p on both. True if it was loaded.
  bool same(const Run& run = {}) {
    const NativeResult native = run_natively(run);
    machine_.new_space({.stack = run.stack_limit});
    ExecRequest request = machine_.request(machine_.files.open_program("./p").value());
    request.argv = run.argv;
    request.envp = run.envp;
    Bytes stack;
    if (native.program.has_value()) {
      stack = adopt(*native.program, run, request);
    }
    machine_.counters = {};
    const auto program = machine_.load(request);
    INFO("native errno " << native.error << (native.program ? ", loaded" : ", not loaded") << "; here "
                         << (program ? "loaded" : errno_name(program.error())));
    CHECK(program.has_value() == native.program.has_value());
    if (!program.has_value() || !native.program.has_value()) {
      if (native.error != 0 && !program.has_value()) {
        CHECK(static_cast<int>(program.error()) == native.error);
      }
      return false;
    }
    compare(*native.program, *program, stack);
    if (machine_.counters.minor != native.program->minor_faults) {
      CHECK(machine_.counters.minor == usual_faults(run));
    }
    return true;
  }

 private:
  // What most of several runs take: now and then a page is locked by somebody, which costs one fault more or less.
  uint64_t usual_faults(const Run& run) {
    std::map<uint64_t, int> runs;
    for (int i = 0; i < 7; ++i) {
      ++runs[run_natively(run).program.value().minor_faults];
    }
    return std::max_element(runs.begin(), runs.end(), [](auto a, auto b) { return a.second < b.second; })->first;
  }

  void compare(const NativeExec& native, const LoadedProgram& program, const Bytes& stack) {
    CHECK(machine_.maps() == native.maps);
    CHECK(program.entry == VirtAddr(native.entry));
    REQUIRE(program.stack_pointer == VirtAddr(native.stack_pointer));
    Bytes simulated(stack.size());
    CHECK(machine_.counters.major == 0);
    vm::FaultCounters counters;
    REQUIRE(vm::UserAccess(machine_.mm(), counters).read(simulated, program.stack_pointer));
    CHECK(simulated == stack);
    const vm::ProgramLayout& layout = machine_.mm().layout();
    CHECK(layout.start_code == VirtAddr(native.start_code));
    CHECK(layout.end_code == VirtAddr(native.end_code));
    CHECK(layout.start_data == VirtAddr(native.start_data));
    CHECK(layout.end_data == VirtAddr(native.end_data));
    CHECK(layout.start_brk == VirtAddr(native.start_brk));
    CHECK(layout.arg_start == VirtAddr(native.arg_start));
    CHECK(layout.arg_end == VirtAddr(native.arg_end));
    CHECK(layout.env_start == VirtAddr(native.env_start));
    CHECK(layout.env_end == VirtAddr(native.env_end));
  }

  TemporaryDirectory directory_;
  LoaderMachine machine_{vm::KernelProfile::compat_6_18(), 16384};
};

TEST_CASE("exec as Linux: images of every shape", "[native]") {
  Comparison both;
  const auto check = [&](const std::string& what, const Bytes& bytes) {
    INFO(what);
    both.add("./p", bytes);
    return both.same();
  };
  CHECK(check("small program", small_program()));
  CHECK(check("static-PIE", static_pie()));
  CHECK(check("static-PIE, 64 KiB aligned", static_pie(0x10000)));
  CHECK(check("static-PIE, 1 MiB aligned", static_pie(0x100000)));
  const auto text = [](uint16_t type = ET_EXEC) {
    return ElfBuilder(type).load(type == ET_EXEC ? 0x08048000 : 0, 0, 0x1000, 0x1000, PF_R | PF_X);
  };
  CHECK(check("no PT_GNU_STACK", text().load(0x0804a000, 0x1000, 0x10, 0x3000, PF_R | PF_W).build()));
  CHECK(check("executable stack",
              text().load(0x0804a000, 0x1000, 0x10, 0x3000, PF_R | PF_W).stack(PF_R | PF_W | PF_X).build()));
  CHECK(
      check("bss from a page boundary", text().load(0x0804a000, 0x1000, 0x1000, 0x3000, PF_R | PF_W).stack(6).build()));
  CHECK(check("bss only", text().load(0x0804a123, 0, 0, 0x1000, PF_R | PF_W).stack(6).build()));
  CHECK(check("executable bss", text().load(0x0804a123, 0x1123, 0x10, 0x2000, 7).stack(6).build()));
  CHECK(check("two bss", ElfBuilder()
                             .load(0x08048000, 0, 0x800, 0x3000, PF_R | PF_W)
                             .load(0x08050000, 0x1000, 0x800, 0x2000, PF_R | PF_W)
                             .stack(6)
                             .build()));
  CHECK(check("bss over the next segment", ElfBuilder()
                                               .load(0x08048000, 0, 0x800, 0x9000, PF_R | PF_W)
                                               .load(0x0804a000, 0x1000, 0x800, 0x1000, PF_R | PF_W)
                                               .stack(6)
                                               .build()));
  CHECK(check("segments in falling order", ElfBuilder()
                                               .load(0x08050000, 0, 0x800, 0x3000, PF_R | PF_W)
                                               .load(0x08048000, 0x1000, 0x800, 0x2000, PF_R | PF_W)
                                               .stack(6)
                                               .build()));
  CHECK(check("tail of a read-only segment", ElfBuilder().load(0x08048000, 0, 0x800, 0x1000, PF_R).stack(6).build()));
  CHECK(check("write-only segment", ElfBuilder().load(0x08048000, 0, 0x800, 0x4000, PF_W).stack(6).build()));
  CHECK(check("inaccessible segment", ElfBuilder().load(0x08048000, 0, 0x800, 0x800, 0).stack(6).build()));
  CHECK(check("position-independent with holes", ElfBuilder(ET_DYN)
                                                     .load(0, 0, 0x1000, 0x1000, PF_R)
                                                     .load(0x18000, 0x1000, 0x1000, 0x1800, PF_R | PF_W)
                                                     .stack(6)
                                                     .build()));
  CHECK(check("position-independent away from 0",
              ElfBuilder(ET_DYN).load(0x123000, 0, 0x1000, 0x1000, PF_R).entry(0x123100).stack(6).build()));
  CHECK(check("no segments", ElfBuilder().stack(6).entry(0x1234).build()));
  CHECK_FALSE(check("below the lowest address", ElfBuilder().load(0, 0, 0x100, 0x100, PF_R).stack(6).build()));
  CHECK_FALSE(check("bss below the lowest address", ElfBuilder().load(0, 0, 0, 0x100, 6).stack(6).build()));
}

TEST_CASE("exec as Linux: interpreters", "[native]") {
  Comparison both;
  const auto check = [&](const std::string& what, const Bytes& bytes) {
    INFO(what);
    both.add("./p", bytes);
    return both.same();
  };
  both.add("./ld", static_pie());
  both.add("./fixed", ElfBuilder().load(0x10000000, 0, 0x1000, 0x3000, 7).entry(0x10000010).stack(6).build());
  both.add("./away", ElfBuilder(ET_DYN).load(0x700000, 0, 0x1000, 0x3000, 7).entry(0x700010).stack(6).build());
  both.add("./aligned", static_pie(0x10000));
  both.add_text("./text", "no program at all");
  both.add("./empty", ElfBuilder(ET_DYN).stack(6).build());
  for (const std::string path : {"./ld", "./fixed", "./away", "./aligned"}) {
    CHECK(check("fixed program, " + path,
                ElfBuilder().load(0x08048000, 0, 0x1000, 0x2000, 7).interpreter(path).stack(6).build()));
    CHECK(check("PIE, " + path, ElfBuilder(ET_DYN).load(0, 0, 0x1000, 0x2000, 7).interpreter(path).stack(6).build()));
    CHECK(check("aligned PIE, " + path,
                ElfBuilder(ET_DYN).load(0, 0, 0x1000, 0x2000, 7, 0x200000).interpreter(path).stack(6).build()));
  }
  for (const std::string path : {"./text", "./empty", "./absent"}) {
    CHECK_FALSE(check("fixed program, " + path,
                      ElfBuilder().load(0x08048000, 0, 0x1000, 0x2000, 7).interpreter(path).stack(6).build()));
  }
}

TEST_CASE("exec as Linux: scripts", "[native]") {
  Comparison both;
  both.add("./0", small_program());
  const auto check = [&](const std::string& text, const Run& run = {}) {
    INFO(text.substr(0, 80));
    both.add_text("./p", text);
    return both.same(run);
  };
  CHECK(check("#!./0\n"));
  CHECK(check("#!./0"));
  CHECK(check("#! \t./0 \t -a  b \t \nrest"));
  CHECK(check("#!./0 -x\n", {.argv = {"zero", "one", "", "three"}, .envp = {"A=1", "", "B"}}));
  CHECK(check("#!./0 " + std::string(300, 'a') + "\n"));
  CHECK(check("#!./0\n", {.argv = {std::string(5000, 'z'), "one"}}));
  CHECK_FALSE(check("#!"));
  CHECK_FALSE(check("#!\n"));
  CHECK_FALSE(check("#! \n"));
  CHECK_FALSE(check("#!./absent\n"));
  CHECK_FALSE(check("#!./" + std::string(300, 'a') + "\n"));
  CHECK_FALSE(check("text"));
  CHECK_FALSE(check(""));
  for (int i = 1; i < 6; ++i) {
    both.add_text("./" + std::to_string(i), "#!./" + std::to_string(i - 1) + " of " + std::to_string(i) + "\n");
    CHECK(check("#!./" + std::to_string(i) + "\n") == (i < 5));
  }
}

TEST_CASE("exec as Linux: argument strings of every size", "[native]") {
  Comparison both;
  both.add("./p", small_program());
  for (uint32_t length = 0; length<9000; length += length % 4096> 3700 || length % 4096 < 60 ? 3 : 97) {
    INFO(length << " bytes");
    CHECK(both.same({.envp = {std::string(length, 'x')}}));
  }
  CHECK(both.same({.argv = {"", "", ""}, .envp = {}}));
  CHECK(both.same({.argv = Lines(1000, "argument"), .envp = Lines(3000, "VARIABLE=value")}));
  CHECK(both.same({.envp = Lines(16, std::string(4095, 'x'))}));
  CHECK(both.same({.envp = {std::string(131071, 'x')}}));
  CHECK_FALSE(both.same({.envp = {std::string(131072, 'x')}}));
}

TEST_CASE("exec as Linux: stack limits", "[native]") {
  Comparison both;
  both.add("./p", static_pie());
  for (const uint32_t limit : {64u << 10, 132u << 10, 1u << 20, 100u << 20, 200u << 20}) {
    INFO(limit << " bytes");
    CHECK(both.same({.stack_limit = limit}));
    both.same({.envp = Lines(100, std::string(600, 'x')), .stack_limit = limit});
    both.same({.envp = Lines(220, std::string(600, 'x')), .stack_limit = limit});
  }
  // The border between fitting and E2BIG: 256 KiB less "./p" twice, 8 bytes for each pointer.
  const uint32_t room = (256u << 10) - 4 - 4 - 8;
  for (const uint32_t bytes : {room - 1, room, room + 1}) {
    Lines strings(2, std::string(100000, 'x'));
    strings.emplace_back(bytes - 2 * (100001 + 8) - (1 + 8), 'x');
    CHECK(both.same({.envp = strings, .stack_limit = 1u << 20}) == (bytes <= room));
  }
}

TEST_CASE("exec as Linux: damaged files", "[native]") {
  Comparison both;
  auto files = fl::test::malformed_elf_files();
  const auto mutated = fl::test::mutated_elf_files(300, 7);
  files.insert(files.end(), mutated.begin(), mutated.end());
  size_t loaded = 0;
  for (const auto& file : files) {
    if (depends_on_host(file.bytes)) {
      continue;
    }
    INFO(file.name);
    both.add("./p", file.bytes);
    loaded += both.same() ? 1 : 0;
  }
  CHECK(loaded > 100);
}

}  // namespace
}  // namespace fl::loaders::test

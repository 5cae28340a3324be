// --strace: calls, results and signals as text, and that looking at memory changes nothing.
#include <catch2/catch_test_macros.hpp>
#include <string>

#include "emu/strace/flags.hpp"
#include "emu/strace/strace.hpp"
#include "guest/task.hpp"
#include "tests/unit/emu/lone_task.hpp"
#include "tests/unit/emu/small_machine.hpp"

namespace fl::emu {
namespace {

constexpr uint32_t kOpen = 5, kExit = 1, kMmap2 = 192, kKill = 37, kGetpid = 20;

}  // namespace

TEST_CASE("strace: arguments follow the table's letters") {
  LoneTask task;
  CHECK(format_call(*task, kGetpid, {}).text == "getpid()");
  CHECK(format_call(*task, kExit, {{0xffffffff}}).text == "exit(-1)");
  CHECK(format_call(*task, kKill, {{12, 11}}).text == "kill(12, SIGSEGV)");
  CHECK(format_call(*task, kMmap2, {{0, 4096, 3, 0x22, 0xffffffff, 0}}).text ==
        "mmap2(0x0, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0x0)");
  CHECK(format_call(*task, 460, {{1, 2, 3, 4, 5, 6}}).text == "syscall_0x1cc(0x1, 0x2, 0x3, 0x4, 0x5, 0x6)");
}

TEST_CASE("strace: results are numbers, addresses or named errors") {
  CHECK(format_result(kGetpid, 42) == "42");
  CHECK(format_result(kMmap2, 0xb7ff0000) == "0xb7ff0000");
  CHECK(format_result(kOpen, static_cast<uint32_t>(-2)) == "-1 ENOENT (No such file or directory)");
  CHECK(format_result(kMmap2, static_cast<uint32_t>(-12)) == "-1 ENOMEM (Cannot allocate memory)");
  CHECK(format_result(kGetpid, static_cast<uint32_t>(-4000)) == "-1 errno 4000");
  // The lowest address that is no error.
  CHECK(format_result(kMmap2, static_cast<uint32_t>(-4096)) == "0xfffff000");
}

TEST_CASE("strace: flag words are spelled and what is unknown stays a number") {
  CHECK(prot_names(0) == "PROT_NONE");
  CHECK(prot_names(0x17) == "PROT_READ|PROT_WRITE|PROT_EXEC|0x10");
  CHECK(map_names(0x03) == "MAP_SHARED_VALIDATE");
  CHECK(map_names(0x100031) == "MAP_SHARED|MAP_FIXED|MAP_ANONYMOUS|MAP_FIXED_NOREPLACE");
  CHECK(open_names(0) == "O_RDONLY");
  CHECK(open_names(0x80241) == "O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC");
  CHECK(open_names(0x410002) == "O_RDWR|O_TMPFILE");
}

TEST_CASE("strace: strings come from pages that are present, others are addresses, and nothing faults") {
  SmallMachine machine;
  const VirtAddr area = machine.map_anonymous(2);
  machine.store(area + kPageSize - 6, "a\"b\n");  // its NUL and one byte more before the page ends
  LoneTask task;
  task->mm = machine.mm;
  const uint64_t faults = machine.memory().faults().minor;
  const auto call = [&task](VirtAddr path) { return format_call(*task, kOpen, {{path.value(), 0, 0}}).text; };
  CHECK(call(area + kPageSize - 6) == "open(\"a\\\"b\\n\", O_RDONLY, 0)");
  CHECK(call(area + kPageSize) == fmt::format("open({:#x}, O_RDONLY, 0)", (area + kPageSize).value()));
  CHECK(call(VirtAddr(0)) == "open(NULL, O_RDONLY, 0)");
  CHECK(machine.memory().faults().minor == faults);
}

}  // namespace fl::emu

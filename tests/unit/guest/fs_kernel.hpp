// A kernel with one task over the files of FsMachine, for the tests of the file calls. The test plays the program.
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "tests/unit/guest/fs_machine.hpp"
#include "tests/unit/guest/kernel_machine.hpp"

namespace fl::guest::test {

// Numbers of the calls that are tested (arch/x86/entry/syscalls/syscall_32.tbl).
struct Nr {
  enum Number : uint32_t {
    kRead = 3,
    kWrite = 4,
    kOpen = 5,
    kClose = 6,
    kUnlink = 10,
    kChdir = 12,
    kLseek = 19,
    kAccess = 33,
    kMkdir = 39,
    kDup = 41,
    kPipe = 42,
    kDup2 = 63,
    kReadlink = 85,
    kFtruncate = 93,
    kStat = 106,
    kLlseek = 140,
    kGetdents = 141,
    kNewselect = 142,
    kReadv = 145,
    kWritev = 146,
    kPoll = 168,
    kPread64 = 180,
    kGetcwd = 183,
    kSendfile = 187,
    kMmap2 = 192,
    kStat64 = 195,
    kFstat64 = 197,
    kGetdents64 = 220,
    kFcntl64 = 221,
    kStatfs64 = 268,
    kOpenat = 295,
    kFchdir = 133,
    kDup3 = 330,
    kRenameat2 = 353,
    kPipe2 = 331,
    kPreadv = 333,
    kMemfdCreate = 356,
    kCopyFileRange = 377,
    kStatx = 383,
    kCloseRange = 436,
  };
};

class FsKernel : public FsMachine {
 public:
  FsKernel() : FsMachine(4096) {
    const std::vector<char> bytes = tiny_program();
    put("root/program", std::string(bytes.begin(), bytes.end()));
    std::filesystem::permissions(base / "root/program", std::filesystem::perms::all);
    kernel = std::make_unique<Kernel>(
        KernelPorts{.memory = *memory, .vfs = *vfs, .fpu = fpu, .time = clock, .observer = nullptr, .stop = nullptr},
        KernelOptions{});
    const auto made = kernel->create_init({"/program", {"program", "one"}, {"A=1"}});
    REQUIRE(made.has_value());
    task = kernel->schedule();
    REQUIRE(task == *made);
    REQUIRE(call(Nr::kChdir, {string("/")}) == 0);
  }
  ~FsKernel() { kernel.reset(); }

  void enter(uint32_t number, std::array<uint32_t, 6> args = {}) { trap_call(*kernel, *task, number, args); }
  // The answer: a value, or -errno.
  int32_t call(uint32_t number, std::array<uint32_t, 6> args = {}) {
    enter(number, args);
    REQUIRE(kernel->schedule() == task);
    return static_cast<int32_t>(task->regs.eax);
  }
  static int32_t error(Errno error) { return -static_cast<int32_t>(error); }

  // Fresh, untouched memory of the program.
  uint32_t fresh(uint32_t pages) {
    const int32_t addr = call(Nr::kMmap2, {0, pages << kPageShift, 3, 0x22, ~0u, 0});
    REQUIRE(static_cast<uint32_t>(addr) < 0xc0000000);
    return static_cast<uint32_t>(addr);
  }
  // A string in the program's data; good until eight more were made.
  uint32_t string(const std::string& text) {
    constexpr uint32_t kSlot = 256;
    const uint32_t addr = kData + 0x800 + kSlot * (next_string_++ % 8);
    REQUIRE(task->user().write(VirtAddr(addr), std::as_bytes(std::span(text.c_str(), text.size() + 1))));
    return addr;
  }
  int32_t open_file(const std::string& path, uint32_t flags = 0) {
    return call(Nr::kOpen, {string(path), flags | OpenFlag::kLargeFile, 0644});
  }
  template <typename T>
  T peek(uint32_t addr) {
    const auto value = task->user().get<T>(VirtAddr(addr));
    REQUIRE(value.has_value());
    return *value;
  }
  std::string bytes(uint32_t addr, uint32_t length) {
    std::string text(length, '\0');
    REQUIRE(task->user().read(std::as_writable_bytes(std::span(text)), VirtAddr(addr)));
    return text;
  }
  // The counted faults since the last time.
  uint64_t new_faults() {
    const uint64_t now = task->faults.minor + task->faults.major;
    return now - std::exchange(seen_faults_, now);
  }

  FakeFpu fpu;
  FakeWork work;
  VirtualClock clock{work};
  std::unique_ptr<Kernel> kernel;
  Task* task = nullptr;

 private:
  uint32_t next_string_ = 0;
  uint64_t seen_faults_ = 0;
};

}  // namespace fl::guest::test

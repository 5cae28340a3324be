// A machine without a processor for the tests of the kernel: the test plays the CPU, sets registers and hands in traps.
// The program is a tiny ELF file (one page of code, one of data, a stack) in a temporary directory that is the guest's
// root.
#pragma once

#include <stdlib.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "guest/fs/vfs.hpp"
#include "guest/kernel.hpp"
#include "guest/task.hpp"
#include "guest/time/clocks.hpp"
#include "mmu/mmu.hpp"
#include "mmu/ram.hpp"
#include "vm/memory_system.hpp"

namespace fl::guest::test {

inline constexpr uint32_t kCode = 0x08048000;
inline constexpr uint32_t kData = 0x0804a000;
inline constexpr uint32_t kInt80Offset = 0x100;  // the code page holds `int $0x80` here, and zeros elsewhere

// The bytes of the program: two PT_LOADs that begin at file offsets 0 and 0x1000.
inline std::vector<char> tiny_program() {
  std::vector<char> file(0x2000);
  const auto put = [&](size_t at, const auto& value) { std::memcpy(file.data() + at, &value, sizeof value); };
  put(0, std::array<uint8_t, 7>{0x7f, 'E', 'L', 'F', 1, 1, 1});
  put(16, std::array<uint16_t, 2>{2, 3});                               // ET_EXEC, EM_386
  put(20, std::array<uint32_t, 5>{1, kCode + kInt80Offset, 52, 0, 0});  // version, entry, phoff
  put(40, std::array<uint16_t, 3>{52, 32, 2});                          // ehsize, phentsize, phnum
  put(52, std::array<uint32_t, 8>{1, 0, kCode, kCode, 0x1000, 0x1000, 5, 0x1000});
  put(84, std::array<uint32_t, 8>{1, 0x1000, kData, kData, 0x1000, 0x1000, 6, 0x1000});
  put(kInt80Offset, std::array<uint8_t, 2>{0xcd, 0x80});
  return file;
}

class NoTlb final : public mmu::TlbPort {
 public:
  void flush() override {}
  void code_changed(Pfn) override {}
};

class FakeFpu final : public FpuPort {
 public:
  FakeFpu() { FakeFpu::reset(); }
  FxState save() override { return state; }
  void restore(const FxState& given) override { state = given; }
  void reset() override {
    state = FxState{};
    state.bytes[0] = std::byte{0x7f};
    state.bytes[1] = std::byte{0x03};
    state.bytes[24] = std::byte{0x80};
    state.bytes[25] = std::byte{0x1f};
  }
  FxState state;
};

class FakeWork final : public WorkCounter {
 public:
  uint64_t executed_blocks() const override { return blocks; }
  uint64_t blocks = 0;
};

// The task makes a system call: `int $0x80` at the program's place for it. The answer is in eax once schedule() gives
// the task back.
inline void trap_call(Kernel& kernel, Task& task, uint32_t number, const std::array<uint32_t, 6>& args) {
  Registers& regs = task.regs;
  regs.eax = number;
  regs.ebx = args[0];
  regs.ecx = args[1];
  regs.edx = args[2];
  regs.esi = args[3];
  regs.edi = args[4];
  regs.ebp = args[5];
  regs.eip = kCode + kInt80Offset + 2;
  kernel.on_trap(task, Trap{.kind = Trap::Kind::kSystemCall, .addr = {}});
}

class KernelMachine {
 public:
  explicit KernelMachine(const vm::KernelProfile& profile = vm::KernelProfile::i386_6_1())
      : ram_(*mmu::Ram::create(2048)),
        mmu_(ram_, profile.no_execute),
        memory_(*vm::MemorySystem::boot(ram_, mmu_, tlb_, profile)) {
    std::string name = (std::filesystem::temp_directory_path() / "faultline-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    root_ = name;
    const std::vector<char> bytes = tiny_program();
    std::ofstream(root_ / "program", std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    std::filesystem::permissions(root_ / "program", std::filesystem::perms::all);
    VfsOptions options;
    options.host = {.root = name, .writable = {}};
    auto vfs = Vfs::create(*memory_, std::move(options));
    REQUIRE(vfs.has_value());
    vfs_ = std::move(*vfs);
    KernelOptions kernel_options;
    kernel_options.credentials.uid = kernel_options.credentials.euid = 1000;
    kernel_ = std::make_unique<Kernel>(
        KernelPorts{.memory = *memory_, .vfs = *vfs_, .fpu = fpu, .time = clock_, .observer = nullptr, .stop = nullptr},
        std::move(kernel_options));
    const auto task = kernel_->create_init({"/program", {"program"}, {"A=1"}});
    REQUIRE(task.has_value());
    REQUIRE(kernel_->schedule() == *task);
    task_ = *task;
  }
  ~KernelMachine() {
    kernel_.reset();
    vfs_.reset();
    std::filesystem::remove_all(root_);
  }

  Kernel& kernel() { return *kernel_; }
  Task& task() { return *task_; }
  Registers& regs() { return task_->regs; }
  vm::UserAccess user() { return task_->user(); }

  void enter(uint32_t number, std::array<uint32_t, 6> args = {}) { trap_call(*kernel_, *task_, number, args); }
  int32_t call(uint32_t number, std::array<uint32_t, 6> args = {}) {
    enter(number, args);
    REQUIRE(kernel_->schedule() == task_);
    return static_cast<int32_t>(regs().eax);
  }
  void exception(Vector vector, uint32_t error_code = 0) {
    kernel_->on_trap(*task_, Trap{.kind = Trap::Kind::kException,
                                  .addr = {},
                                  .error_code = error_code,
                                  .vector = static_cast<uint8_t>(vector)});
  }
  void page_fault(uint32_t addr, mmu::Access access, uint32_t error_code) {
    kernel_->on_trap(
        *task_,
        Trap{.kind = Trap::Kind::kPageFault, .addr = VirtAddr(addr), .access = access, .error_code = error_code});
  }
  template <typename T>
  T peek_user(uint32_t addr) {
    const auto value = user().get<T>(VirtAddr(addr));
    REQUIRE(value.has_value());
    return *value;
  }
  template <typename T>
  void poke_user(uint32_t addr, const T& value) {
    REQUIRE(user().put(VirtAddr(addr), value).has_value());
  }

  FakeFpu fpu;
  FakeWork work;

 private:
  NoTlb tlb_;
  mmu::Ram ram_;
  mmu::Mmu mmu_;
  VirtualClock clock_{work};
  std::unique_ptr<vm::MemorySystem> memory_;
  std::filesystem::path root_;
  std::unique_ptr<Vfs> vfs_;
  std::unique_ptr<Kernel> kernel_;
  Task* task_ = nullptr;
};

}  // namespace fl::guest::test

// MachineOptions: what a machine is made of. Plain data; the command line fills it in.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "emu/cpu/cpu_model.hpp"
#include "guest/fs/tmp_kind.hpp"
#include "vm/memory_system.hpp"
#include "vm/profile.hpp"

namespace fl::guest {
class KernelObserver;
class OomChooser;
}  // namespace fl::guest

namespace fl::emu {

enum class ClockKind : uint8_t { kVirtual, kHost };

// A swap area to boot with: a temporary one of so many bytes, or a file of the host that mkswap(8) has made.
struct SwapOptions {
  uint64_t bytes = 0;  // whole pages; 0: a file
  std::string path;
  std::optional<int> prio;
  bool operator==(const SwapOptions&) const = default;
};

struct MachineOptions {
  uint64_t ram_bytes = uint64_t{256} << 20;
  uint32_t nodes = 1;
  uint64_t memory_limit = 0;      // bytes, for all processes together; 0: none
  std::vector<SwapOptions> swap;  // in this order; at most vm::kMaxSwapFiles
  std::string reclaim = "lru";    // one of vm::policy_names()
  vm::Readahead readahead;
  vm::DiskModel disk = vm::DiskModel::ssd();  // with the virtual clock only
  // As FailAlloc::configure reads it; empty: none. In force from the end of boot on.
  std::string fail_alloc;
  const vm::KernelProfile* profile = &vm::KernelProfile::i386_6_1();
  CpuModel cpu = default_cpu();
  std::string root = "/";
  std::vector<std::string> writable;  // host directories inside the root
  guest::TmpKind tmp = guest::TmpKind::kTmpfs;
  // The program to be run, as the guest will name it. Where it lies below the host's /tmp it is seen through the
  // guest's own; so are the working directory and the writable ones.
  std::string program;
  vm::VerifyLevel verify = vm::VerifyLevel::kOff;
  ClockKind clock = ClockKind::kVirtual;
  uint64_t seed = 0;
  bool aslr = false;
  std::optional<uint64_t> timeout_ms;
  // Whether Ctrl-C, SIGTERM, SIGUSR1 and the timeout are caught; not by a machine in somebody else's process.
  bool catch_signals = true;
  // The host's descriptors that are the guest's 0, 1 and 2; one that is not open is not open there either.
  std::array<int, 3> standard_files{0, 1, 2};
  // Called when SIGUSR1 came: between two instructions, or while a system call waits in the host. Empty: it is ignored.
  std::function<void()> on_report;
  // Must outlive the machine; null: nobody listens.
  guest::KernelObserver* observer = nullptr;
  guest::OomChooser* oom_chooser = nullptr;
};

}  // namespace fl::emu

// The options of the embedding interface, checked as the command line checks its own.
#include <fmt/ranges.h>

#include "emu/cli/size.hpp"
#include "emu/cpu/cpu_model.hpp"
#include "emu/embed/embedded_machine.hpp"
#include "emu/machine/machine_limits.hpp"
#include "vm/block/request_queue.hpp"
#include "vm/phys/fail_alloc.hpp"
#include "vm/phys/node.hpp"
#include "vm/reclaim/policy.hpp"
#include "vm/swap/swap_space.hpp"

namespace fl::embed {
namespace {

emu::HostStatus check(const faultline::MachineOptions& options) {
  using emu::format_size;
  using emu::host_error;
  if (options.program.empty()) {
    return host_error("cannot run: there is no program");
  }
  if (vm::KernelProfile::find(options.kernel) == nullptr) {
    return host_error("cannot imitate the kernel: {}: give 6.1-i386 or 6.18-compat", options.kernel);
  }
  if (options.ram_bytes < emu::kMinRamBytes || options.ram_bytes > emu::kMaxRamBytes ||
      options.ram_bytes % kPageSize != 0) {
    return host_error("cannot make the RAM: {} bytes: give whole pages, {} to {}", options.ram_bytes,
                      format_size(emu::kMinRamBytes), format_size(emu::kMaxRamBytes));
  }
  for (const uint64_t bytes : options.swap_bytes) {
    if (bytes < emu::kMinSwapBytes || bytes > emu::kMaxSwapBytes || bytes % kPageSize != 0) {
      return host_error("cannot use the swap size: {} bytes: give whole pages, {} to {}", bytes,
                        format_size(emu::kMinSwapBytes), format_size(emu::kMaxSwapBytes));
    }
  }
  if (const size_t areas = options.swap_bytes.size() + options.swap_files.size(); areas > vm::kMaxSwapFiles) {
    return host_error("cannot use so many swap areas: {}: give at most {}", areas, vm::kMaxSwapFiles);
  }
  if (!options.fail_alloc.empty() && !vm::FailAlloc().configure(options.fail_alloc, 0)) {
    return host_error("cannot make allocations fail: {}: give nth=N, every=N or p=X with X from 0 to 1",
                      options.fail_alloc);
  }
  if (options.readahead_kib > emu::kMaxReadaheadKib) {
    return host_error("cannot read ahead so many KiB: {}: give 0 to {}", options.readahead_kib, emu::kMaxReadaheadKib);
  }
  if (options.memory_limit != 0 && options.memory_limit < emu::kLeastMemoryLimit) {
    return host_error("cannot use the memory limit: {} bytes: give {} or more", options.memory_limit,
                      format_size(emu::kLeastMemoryLimit));
  }
  if (options.nodes < 1 || options.nodes > vm::kMaxNodes) {
    return host_error("cannot make so many nodes: {}: give 1 to {}", options.nodes, vm::kMaxNodes);
  }
  if (vm::make_policy(options.reclaim) == nullptr) {
    return host_error("cannot reclaim by: {}: give {}", options.reclaim, fmt::join(vm::policy_names(), ", "));
  }
  if (options.verify < 0 || options.verify > 2) {
    return host_error("cannot verify at level: {}: give 0, 1 or 2", options.verify);
  }
  return {};
}

}  // namespace

emu::HostResult<emu::MachineOptions> machine_options(const faultline::MachineOptions& options) {
  if (auto checked = check(options); !checked) {
    return tl::unexpected<emu::HostError>(std::move(checked).error());
  }
  emu::MachineOptions made;
  made.ram_bytes = options.ram_bytes;
  made.nodes = options.nodes;
  made.memory_limit = options.memory_limit;
  for (const uint64_t bytes : options.swap_bytes) {
    made.swap.push_back({.bytes = bytes, .path = {}, .prio = std::nullopt});
  }
  for (const std::string& path : options.swap_files) {
    made.swap.push_back({.bytes = 0, .path = path, .prio = std::nullopt});
  }
  made.reclaim = options.reclaim;
  made.readahead = {.pages = options.readahead_kib * 1024 >> kPageShift, .cold = options.cold_files};
  const auto disk = vm::DiskModel::parse(options.disk);
  if (!disk) {
    return emu::host_error("cannot imitate the disk: {}: give ssd, hdd, none or US,MB_PER_SECOND as in 100,500",
                           options.disk);
  }
  made.disk = *disk;
  made.fail_alloc = options.fail_alloc;
  FL_HOST_TRY_SET(made.cpu, emu::find_cpu(options.cpu));
  made.tmp = options.host_tmp ? guest::TmpKind::kHost : guest::TmpKind::kTmpfs;
  made.profile = vm::KernelProfile::find(options.kernel);
  made.root = options.root;
  made.writable = options.writable;
  made.program = options.program;
  made.verify = static_cast<vm::VerifyLevel>(options.verify);
  made.clock = options.host_clock ? emu::ClockKind::kHost : emu::ClockKind::kVirtual;
  made.seed = options.seed;
  made.aslr = options.aslr;
  made.catch_signals = false;
  made.standard_files = options.standard_files;
  return made;
}

}  // namespace fl::embed

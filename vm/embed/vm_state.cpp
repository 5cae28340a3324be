// Booting a memory system without a processor, its disks in host memory, and the accesses that a processor would make.
#include "vm/embed/vm_state.hpp"

#include <fmt/format.h>

#include <limits>

#include "mmu/base/check.hpp"
#include "vm/embed/convert.hpp"
#include "vm/fault/handle_fault.hpp"
#include "vm/mm/overcommit.hpp"
#include "vm/profile.hpp"
#include "vm/reclaim/page_reclaim.hpp"
#include "vm/reclaim/policy.hpp"
#include "vm/swap/swap_header.hpp"
#include "vm/swap/swap_space.hpp"

namespace fl::embed {
namespace {

constexpr uint64_t kMostRam = uint64_t{1} << 32;
constexpr uint64_t kLeastSwap = 2 * kPageSize;  // the header, and a page

template <typename... Args>
tl::unexpected<faultline::Error> invalid(fmt::format_string<Args...> format, Args&&... args) {
  return tl::unexpected<faultline::Error>(
      faultline::Error{fmt::format(format, std::forward<Args>(args)...), static_cast<int>(Errno::kEINVAL)});
}

faultline::Status check(const faultline::VmOptions& options) {
  if (vm::KernelProfile::find(options.kernel) == nullptr) {
    return invalid("cannot imitate the kernel: {}: 6.1-i386 or 6.18-compat", options.kernel);
  }
  if (vm::make_policy(options.reclaim) == nullptr) {
    return invalid("cannot reclaim by: {}: {}", options.reclaim, fmt::join(vm::policy_names(), ", "));
  }
  if (options.ram_bytes % kPageSize != 0 || options.ram_bytes > kMostRam) {
    return invalid("cannot make the RAM: {} bytes: whole pages, at most 4 GiB", options.ram_bytes);
  }
  if (options.swap_bytes != 0 &&
      (options.swap_bytes % kPageSize != 0 || options.swap_bytes < kLeastSwap || options.swap_bytes > kMostRam * 16)) {
    return invalid("cannot swap to: {} bytes: whole pages, 2 at least, at most 64 GiB", options.swap_bytes);
  }
  return {};
}

}  // namespace

std::span<std::byte> BytesStore::part(uint64_t index) {
  const uint64_t start = std::min<uint64_t>(index * kPageSize, bytes.size());
  return {bytes.data() + start, std::min<size_t>(bytes.size() - start, kPageSize)};
}

Status BytesStore::read_pages(uint64_t first, std::span<std::byte* const> pages) {
  for (std::byte* const page : pages) {
    const std::span<std::byte> from = part(first++);
    std::copy(from.begin(), from.end(), page);
    std::fill(page + from.size(), page + kPageSize, std::byte{0});
  }
  return {};
}

Status BytesStore::write_page(uint64_t index, std::span<const std::byte, 4096> page) {
  const std::span<std::byte> to = part(index);
  std::copy_n(page.begin(), to.size(), to.begin());
  return {};
}

BytesSwap::BytesSwap(uint32_t pages) : bytes_(size_t{pages} * kPageSize) { vm::make_swap_header(page(0), pages); }

Status BytesSwap::read_page(uint32_t offset, std::span<std::byte, 4096> to) {
  if (offset >= pages()) {
    return fail(Errno::kEIO);
  }
  std::copy_n(page(offset).begin(), kPageSize, to.begin());
  return {};
}

Status BytesSwap::write_page(uint32_t offset, std::span<const std::byte, 4096> from) {
  if (offset >= pages()) {
    return fail(Errno::kEIO);
  }
  std::copy_n(from.begin(), kPageSize, page(offset).begin());
  return {};
}

VmState::VmState(mmu::Ram memory_of_machine, const vm::KernelProfile& profile,
                 std::function<void(const faultline::Fault&)> listener)
    : ram(std::move(memory_of_machine)), unit(ram, profile.no_execute), listener_(std::move(listener)) {}

faultline::Result<std::shared_ptr<VmState>> VmState::create(const faultline::VmOptions& options) {
  if (const auto checked = check(options); !checked) {
    return tl::unexpected<faultline::Error>(checked.error());
  }
  auto ram = mmu::Ram::create(static_cast<uint32_t>(options.ram_bytes >> kPageShift));
  if (!ram) {
    return refuse("make the RAM", ram.error());
  }
  const vm::KernelProfile& profile = *vm::KernelProfile::find(options.kernel);
  auto state = std::make_shared<VmState>(std::move(*ram), profile, options.on_fault);
  if (auto booted = state->boot(options, profile); !booted) {
    return tl::unexpected<faultline::Error>(std::move(booted).error());
  }
  return state;
}

faultline::Status VmState::boot(const faultline::VmOptions& options, const vm::KernelProfile& profile) {
  auto booted = vm::MemorySystem::boot(ram, unit, tlb, profile, {.nodes = options.nodes});
  if (!booted) {
    return invalid("cannot boot: {} bytes of RAM, nodes: {}: more RAM, or fewer nodes", options.ram_bytes,
                   options.nodes);
  }
  memory = std::move(*booted);
  memory->set_observer(this);
  memory->cache().readahead.cold = options.cold_files;
  memory->reclaim().set_policy(vm::make_policy(options.reclaim));
  if (options.overcommit) {
    vm::OvercommitSettings settings = memory->overcommit().settings();
    settings.mode = vm::OvercommitMode::kAlways;
    memory->overcommit().set_settings(settings);
  }
  if (options.memory_limit != 0) {
    if (const auto limited = memory->set_memory_limit(options.memory_limit >> kPageShift); !limited) {
      return refuse("limit memory", limited.error());
    }
  }
  if (options.swap_bytes != 0) {
    const auto pages = static_cast<uint32_t>(options.swap_bytes >> kPageShift);
    if (const auto area = memory->swap().swapon(std::make_shared<BytesSwap>(pages), "/dev/swap0", std::nullopt);
        !area) {
      return refuse("swap", area.error());
    }
  }
  return {};
}

void VmState::run(vm::AddressSpace& mm) {
  if (unit.cr3() != mm.tables().directory()) {
    unit.set_cr3(mm.tables().directory());
  }
  memory->overcommit().set_current(&mm);
}

void VmState::on_fault(const vm::FaultRecord& record) {
  if (collected == nullptr && !listener_) {
    return;
  }
  const faultline::Fault fault = to_public(record);
  if (collected != nullptr) {
    collected->push_back(fault);
  }
  if (listener_) {
    listener_(fault);
  }
}

// What a processor and the kernel do between two tries of an instruction (guest::Kernel::on_trap).
void ProcessState::access(VirtAddr va, mmu::Access access, faultline::Touch& touch) {
  // More than an access can fault: reclaim does not take what it has just faulted in.
  constexpr int kMostTries = 16;
  vm->run(*mm);
  vm->memory->faulted_pages().clear();
  vm->collected = &touch.faults;
  touch.allowed = false;
  for (int tries = 0;; ++tries) {
    FL_CHECK(tries < kMostTries, "the access to {:#x} faults for ever", va.value());
    const mmu::Translation found = vm->unit.translate(va, access, mmu::Privilege::kUser);
    if (found.hit) {
      touch.allowed = true;
      touch.physical = PhysAddr(found.pte.pfn()).value() + va.page_offset();
      break;
    }
    const vm::FaultResult result =
        vm::handle_page_fault(*mm, va, access, found.error_code, vm::FaultMode::kUser, faults);
    vm->memory->reclaim().run_kswapds();
    if (vm::is_error(result)) {
      break;
    }
  }
  vm->collected = nullptr;
}

}  // namespace fl::embed

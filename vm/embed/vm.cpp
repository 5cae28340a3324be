// faultline::Vm and File, and the words for faults.
#include <faultline/vm.hpp>
#include <memory>

#include "vm/embed/convert.hpp"
#include "vm/embed/vm_state.hpp"
#include "vm/info/report.hpp"
#include "vm/reclaim/page_reclaim.hpp"
#include "vm/swap/swap_space.hpp"
#include "vm/verify/verify.hpp"

namespace faultline {

using fl::Errno;
using fl::embed::refuse;

// ------------------------------------------------------------------------------------------ words

std::string_view explain_cause(std::string_view cause) {
  for (size_t i = 0; i < fl::vm::kFaultCauses; ++i) {
    if (const auto one = static_cast<fl::vm::FaultCause>(i); fl::vm::cause_name(one) == cause) {
      return fl::vm::cause_explanation(one);
    }
  }
  return {};
}

std::string_view name_of(FaultResult result) {
  switch (result) {
    case FaultResult::kMinor:
      return "minor";
    case FaultResult::kMajor:
      return "major";
    case FaultResult::kMapError:
      return "map_error";
    case FaultResult::kAccessError:
      return "access_error";
    case FaultResult::kBusError:
      return "bus_error";
    case FaultResult::kOutOfMemory:
      return "out_of_memory";
  }
  return {};
}

std::string_view name_of(Access access) { return fl::vm::access_name(fl::embed::to_ours(access)); }

std::string_view name_of(FaultMode mode) {
  return fl::vm::mode_name(mode == FaultMode::kUser     ? fl::vm::FaultMode::kUser
                           : mode == FaultMode::kKernel ? fl::vm::FaultMode::kKernel
                                                        : fl::vm::FaultMode::kGup);
}

// ------------------------------------------------------------------------------------------ files

uint64_t File::size() const { return state_->store->size(); }
std::span<const std::byte> File::bytes() const { return state_->store->bytes; }
uint32_t File::cached_pages() const { return state_->file->mapping->cached_pages(); }
Status File::sync() {
  fl::vm::Mapping& mapping = *state_->file->mapping;
  return fl::embed::to_public(mapping.write_back(0, mapping.pages()), "write the file");
}

// ------------------------------------------------------------------------------------------ the machine

Result<Vm> Vm::create(const VmOptions& options) {
  auto state = fl::embed::VmState::create(options);
  if (!state) {
    return tl::unexpected<Error>(std::move(state).error());
  }
  return Vm(std::move(*state));
}

Vm::Vm(std::shared_ptr<fl::embed::VmState> state) : state_(std::move(state)) {}
Vm::Vm(Vm&&) noexcept = default;
Vm& Vm::operator=(Vm&&) noexcept = default;
Vm::~Vm() = default;

Result<Process> Vm::new_process() {
  auto mm = fl::vm::AddressSpace::create(*state_->memory, fl::vm::MemoryLimits{});
  if (!mm) {
    return refuse("make a process", mm.error());
  }
  auto made = std::make_unique<fl::embed::ProcessState>();
  made->vm = state_;
  made->mm = std::move(*mm);
  return Process(std::move(made));
}

Result<File> Vm::new_file(std::string name, std::vector<std::byte> bytes) {
  auto made = std::make_shared<fl::embed::FileState>();
  made->vm = state_;
  made->store = std::make_shared<fl::embed::BytesStore>(std::move(bytes));
  auto mapping = fl::vm::Mapping::for_file(*state_->memory, made->store);
  if (!mapping) {
    return refuse("make a file", mapping.error());
  }
  (*mapping)->start_cold();
  made->file = std::make_shared<fl::vm::MappedFile>();
  made->file->mapping = std::move(*mapping);
  const auto path = std::make_shared<const std::string>(std::move(name));
  made->file->path = *path;
  made->file->path_owner = path;
  made->file->writable = true;
  return File(std::move(made));
}

uint32_t Vm::reclaim(uint32_t pages) {
  fl::vm::PageAllocator& allocator = state_->memory->pages();
  const uint32_t before = allocator.free_frames();
  state_->memory->faulted_pages().clear();
  const auto freed = [&] { return allocator.free_frames() - std::min(before, allocator.free_frames()); };
  while (freed() < pages) {
    const fl::vm::PageAllocator::Reclaiming reserve(allocator);
    if (state_->memory->reclaim().try_to_free_pages(fl::vm::kGfpHighUserMovable, 0, fl::vm::ZoneType::kMovable) == 0) {
      break;
    }
  }
  return freed();
}

VmCounters Vm::counters() const {
  fl::vm::MemorySystem& memory = *state_->memory;
  VmCounters counters;
  counters.faults = fl::embed::to_public(memory.faults());
  counters.ram = memory.ram().frames();
  counters.free = memory.pages().free_frames();
  counters.used = memory.pages().managed_frames() - counters.free;
  counters.peak_used = memory.pages().peak_used();
  counters.page_tables = memory.pages().table_frames();
  counters.swap_total = memory.swap().total_swap_pages();
  counters.swap_free = memory.swap().free_swap_pages();
  counters.swapped_in = static_cast<uint64_t>(memory.pages().events()[fl::vm::VmEvent::kPswpin]);
  counters.swapped_out = static_cast<uint64_t>(memory.pages().events()[fl::vm::VmEvent::kPswpout]);
  return counters;
}

Result<std::string> Vm::report(std::string_view name) const {
  const fl::vm::MemoryReport* const found = fl::vm::find_memory_report(name);
  if (found == nullptr) {
    return refuse("report", Errno::kEINVAL);
  }
  return found->text(*state_->memory);
}

std::vector<std::string> Vm::report_names() {
  std::vector<std::string> names;
  for (const fl::vm::MemoryReport& report : fl::vm::memory_reports()) {
    names.emplace_back(report.name);
  }
  return names;
}

std::vector<std::string> Vm::verify() const { return fl::vm::verify(*state_->memory); }

}  // namespace faultline

// Copying argument strings onto the new stack. See argument_strings.hpp.
#include "loaders/argument_strings.hpp"

#include <algorithm>
#include <cstring>

#include "vm/fault/handle_fault.hpp"
#include "vm/memory_system.hpp"

namespace fl::loaders {
namespace {

constexpr uint64_t kMaxStringBytes = (8u << 20) / 4 * 3;  // 3/4 of _STK_LIM
constexpr uint64_t kMinStringBytes = 131072;              // ARG_MAX
constexpr uint32_t kStackExpand = 131072;

}  // namespace

Result<ArgumentStrings> ArgumentStrings::create(vm::AddressSpace& mm, vm::FaultCounters& task, VirtAddr stack_top,
                                                uint64_t pointers) {
  FL_TRY(mm.map_stack(stack_top, kPageSize, vm::VmFlag::kRead | vm::VmFlag::kWrite));
  ArgumentStrings strings(mm, task, stack_top);
  const uint32_t pointer_bytes = mm.memory().profile().kernel_pointer_bytes;
  strings.position_ = stack_top - pointer_bytes;
  const uint64_t limit = std::max(std::min<uint64_t>(kMaxStringBytes, mm.limits().stack / 4), kMinStringBytes);
  if (pointers >= (limit + pointer_bytes - 1) / pointer_bytes) {
    return fail(Errno::kE2BIG);
  }
  strings.lowest_ = strings.position_ - static_cast<uint32_t>(limit - pointers * pointer_bytes);
  return strings;
}

Result<vm::KmapLocal> ArgumentStrings::page(VirtAddr at, mmu::Access access) {
  // get_user_pages does not grow a stack, so exec grows it by hand. Linux: get_arg_page.
  bool grew = false;
  if (!mm_->find_area_for_fault(at, grew)) {
    return fail(Errno::kE2BIG);
  }
  const auto pfn = vm::get_user_page(*mm_, at, access, *task_);
  if (!pfn) {
    return fail(Errno::kE2BIG);
  }
  return vm::KmapLocal(mm_->memory().kmap_slots(), *pfn);
}

Status ArgumentStrings::push(std::string_view text) {
  text = text.substr(0, text.find('\0'));
  if (text.size() >= kMaxArgString) {
    return fail(Errno::kE2BIG);
  }
  auto left = static_cast<uint32_t>(text.size()) + 1;
  if (left > position_ - lowest_) {
    return fail(Errno::kE2BIG);
  }
  // From the end down, a page at a time: that is the order of the faults.
  VirtAddr end = position_;
  while (left > 0) {
    const uint32_t in_page = end.page_offset() == 0 ? kPageSize : end.page_offset();
    const uint32_t count = std::min(in_page, left);
    const VirtAddr start = end - count;
    FL_TRY_ASSIGN(const vm::KmapLocal mapped, page(start, mmu::Access::kWrite));
    std::byte* const bytes = mapped.data() + start.page_offset();
    left -= count;
    const auto from_text = std::min<size_t>(count, text.size() - left);
    std::memcpy(bytes, text.data() + left, from_text);
    std::fill_n(bytes + from_text, count - from_text, std::byte{0});
    end = start;
  }
  position_ = end;
  return {};
}

Status ArgumentStrings::remove_lowest() {
  while (true) {
    FL_TRY_ASSIGN(const vm::KmapLocal mapped, page(position_, mmu::Access::kRead));
    const std::byte* const bytes = mapped.data();
    const uint32_t from = position_.page_offset();
    const auto* nul = static_cast<const std::byte*>(std::memchr(bytes + from, 0, kPageSize - from));
    if (nul != nullptr) {
      position_ = position_.page() + static_cast<uint32_t>(nul - bytes) + 1;
      return {};
    }
    position_ = position_.page() + kPageSize;
  }
}

Status ArgumentStrings::finish_stack(ExecStack exec_stack) {
  const VirtAddr last_page = stack_top_ - kPageSize;
  const vm::VmArea* area = mm_->areas().find(last_page);
  const uint32_t size = area->end - area->start;
  if (exec_stack == ExecStack::kEnableX || (exec_stack == ExecStack::kDefault && mm_->read_implies_exec())) {
    FL_TRY(mm_->mprotect(area->start, size, vm::Prot::kRead | vm::Prot::kWrite | vm::Prot::kExec, *task_));
  }
  const uint32_t limit = mm_->limits().stack & ~kPageOffsetMask;
  const VirtAddr base = stack_top_ - std::min(limit, size + kStackExpand);
  bool grew = false;
  if (base < stack_top_ - size && !mm_->find_area_for_fault(base, grew)) {
    return fail(Errno::kEFAULT);
  }
  return {};
}

}  // namespace fl::loaders

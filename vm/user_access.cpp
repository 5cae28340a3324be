// The kernel's copies from and to user memory, page by page.
#include "vm/user_access.hpp"

#include <algorithm>
#include <cstring>

#include "mmu/layout.hpp"
#include "vm/fault/handle_fault.hpp"
#include "vm/memory_system.hpp"

namespace fl::vm {

bool UserAccess::access_ok(VirtAddr addr, uint64_t length) {
  return length <= mmu::kTaskSize && addr.value() <= mmu::kTaskSize - length;
}

Result<KmapSpan> UserAccess::chunk(VirtAddr at, uint32_t length, mmu::Access access) {
  using mmu::PageFaultError;
  using mmu::Pte;
  const bool write = access == mmu::Access::kWrite;
  if (!access_ok(at, 1)) {
    return fail(Errno::kEFAULT);
  }
  // As the processor with CR0.WP: a read-only page stops the kernel's store too. A page may fault as absent, then as
  // read-only; a third fault would be one that its handler did not cure.
  for (int tries = 0; tries < 3; ++tries) {
    Pte* pte = mm_.tables().find(at);
    const Pte entry = pte != nullptr ? *pte : Pte();
    if (entry.hw_present() && entry.user() && (!write || entry.writable())) {
      *pte = entry.with(Pte::kAccessed | (write ? uint32_t{Pte::kDirty} : 0u));
      if (write) {
        mm_.memory().tlb().code_changed(entry.pfn());
      }
      const uint32_t in_page = at.page_offset();
      // What is copied may need memory for itself: the page stays meanwhile.
      return KmapSpan(mm_.memory().kmap_slots(), PagePin(mm_.memory(), entry.pfn()), entry.pfn(), in_page,
                      std::min(length, kPageSize - in_page));
    }
    const uint32_t error_code = (entry.hw_present() ? uint32_t{PageFaultError::kProtection} : 0u) |
                                (write ? uint32_t{PageFaultError::kWrite} : 0u);
    const FaultResult result = handle_page_fault(mm_, at, access, error_code, FaultMode::kKernel, task_);
    if (is_error(result)) {
      return fail(Errno::kEFAULT);
    }
  }
  FL_CHECK(false, "the kernel's access to {:#x} faults again after it was handled", at.value());
}

uint32_t UserAccess::copy_to(VirtAddr to, std::span<const std::byte> from) {
  uint32_t done = 0;
  while (done < from.size()) {
    const auto part = chunk(to + done, static_cast<uint32_t>(from.size()) - done, mmu::Access::kWrite);
    if (!part) {
      break;
    }
    std::memcpy(part->data(), from.data() + done, part->size());
    done += static_cast<uint32_t>(part->size());
  }
  return done;
}

uint32_t UserAccess::copy_from(std::span<std::byte> to, VirtAddr from) {
  uint32_t done = 0;
  while (done < to.size()) {
    const auto part = chunk(from + done, static_cast<uint32_t>(to.size()) - done, mmu::Access::kRead);
    if (!part) {
      break;
    }
    std::memcpy(to.data() + done, part->data(), part->size());
    done += static_cast<uint32_t>(part->size());
  }
  return done;
}

Status UserAccess::write(VirtAddr to, std::span<const std::byte> from) {
  if (!access_ok(to, from.size()) || copy_to(to, from) != from.size()) {
    return fail(Errno::kEFAULT);
  }
  return {};
}

Status UserAccess::read(std::span<std::byte> to, VirtAddr from) {
  if (!access_ok(from, to.size()) || copy_from(to, from) != to.size()) {
    return fail(Errno::kEFAULT);
  }
  return {};
}

Status UserAccess::clear(VirtAddr to, uint32_t length) {
  if (!access_ok(to, length)) {
    return fail(Errno::kEFAULT);
  }
  for (uint32_t done = 0; done < length;) {
    FL_TRY_ASSIGN(const KmapSpan part, chunk(to + done, length - done, mmu::Access::kWrite));
    std::memset(part.data(), 0, part.size());
    done += static_cast<uint32_t>(part.size());
  }
  return {};
}

Status UserAccess::check_zeros(VirtAddr from, uint32_t length) {
  if (!access_ok(from, length)) {
    return fail(Errno::kEFAULT);
  }
  for (uint32_t done = 0; done < length;) {
    FL_TRY_ASSIGN(const KmapSpan part, chunk(from + done, length - done, mmu::Access::kRead));
    const std::span<const std::byte> bytes(part.data(), part.size());
    if (std::any_of(bytes.begin(), bytes.end(), [](std::byte byte) { return byte != std::byte{0}; })) {
      return fail(Errno::kE2BIG);
    }
    done += static_cast<uint32_t>(part.size());
  }
  return {};
}

Result<std::string> UserAccess::string(VirtAddr from, uint32_t max, Errno too_long) {
  const uint32_t word = mm_.memory().profile().kernel_pointer_bytes;
  std::string text;
  while (text.size() < max) {
    const auto left = max - static_cast<uint32_t>(text.size());
    FL_TRY_ASSIGN(const KmapSpan part, chunk(from + static_cast<uint32_t>(text.size()), left, mmu::Access::kRead));
    const auto* chars = reinterpret_cast<const char*>(part.data());
    const size_t length = strnlen(chars, part.size());
    const uint32_t end = static_cast<uint32_t>(text.size() + part.size());
    text.append(chars, length);
    if (length < part.size()) {
      // The word with the NUL may end on the next page; if that cannot be had, Linux goes on by bytes.
      const uint32_t word_start = static_cast<uint32_t>(text.size()) / word * word;
      if (word_start + word > end && word_start + word <= max) {
        static_cast<void>(chunk(from + end, 1, mmu::Access::kRead));
      }
      return text;
    }
  }
  return fail(too_long);
}

}  // namespace fl::vm

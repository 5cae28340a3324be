// Looking at user memory without touching it: no fault, no accessed bit. For --strace, dumps and the check before a
// system call is restarted. Linux counterpart: probe_user_read, with page faults disabled.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "mmu/base/addr.hpp"
#include "vm/mm/address_space.hpp"

namespace fl::guest {

// Copies bytes from pages that are present; gives how many there were before the first one that is not.
size_t peek(vm::AddressSpace& mm, VirtAddr from, std::span<std::byte> to);

// A NUL-terminated string, cut at `max` bytes or at the first page that is not present; `complete` says whether its end
// was seen.
struct PeekedString {
  std::string text;
  bool complete = false;
};
PeekedString peek_string(vm::AddressSpace& mm, VirtAddr from, size_t max);

}  // namespace fl::guest

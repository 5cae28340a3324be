// Descriptions of an address space for people: --dump maps, pagetable and walk.
//
// Read the page tables entry by entry and change nothing: no A bit, no CR2, no fault.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "mmu/base/addr.hpp"
#include "mmu/mmu.hpp"
#include "mmu/pte.hpp"
#include "vm/mm/address_space.hpp"

namespace fl::emu {

// Whose address space it is, for headings.
struct DumpSubject {
  uint32_t pid = 0;
  std::string_view comm;
};

// The lines of /proc/PID/maps.
std::string dump_maps(const DumpSubject& subject, const vm::AddressSpace& mm);

// CR3, then each entry of the directory that is not empty, and below it each entry of its table: place, raw value, bits
// in words, and what maps the page.
std::string dump_page_tables(const DumpSubject& subject, vm::AddressSpace& mm);

// What the processor would do with `addr`, step by step: directory entry, table entry, physical address, and for user
// reads, writes and fetches whether they are allowed or the error code of the fault.
std::string dump_walk(const DumpSubject& subject, vm::AddressSpace& mm, VirtAddr addr);

// "present read-only user accessed dirty"; "empty"; "swap". For a directory entry with kLarge "4-MiB" too.
std::string describe_entry(mmu::Pte entry, mmu::NoExecute no_execute);
// "not present, write, user" for an error code of the page-fault exception.
std::string describe_error_code(uint32_t error_code);

}  // namespace fl::emu

// E820Map: what the firmware says of physical memory. Linux counterpart: arch/x86/kernel/e820.c; the PC memory map.
//
// RAM of n bytes is a PC's: usable up to 640 KiB but for the top KiB (the BIOS's data area), nothing of use up to
// 1 MiB, usable from there. A machine that ends below 640 KiB has one usable region. Simplified: no ACPI tables, no
// devices, so nothing is kept back at the end of RAM.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "vm/boot/boot_log.hpp"

namespace fl::vm {

enum class E820Type : uint8_t { kUsable, kReserved };
std::string_view e820_type_name(E820Type type);

// Addresses in bytes, the end exclusive; 64 bits because RAM may end at 4 GiB.
struct E820Entry {
  uint64_t start = 0;
  uint64_t end = 0;
  E820Type type = E820Type::kUsable;
  friend bool operator==(const E820Entry&, const E820Entry&) = default;
};

class E820Map {
 public:
  // The map of a machine with this much RAM.
  static E820Map of_ram(uint64_t bytes);

  // Ascending, disjoint; what no entry names is a hole.
  const std::vector<E820Entry>& entries() const { return entries_; }
  // Makes [start, end) reserved where it was usable. Linux: e820__range_update.
  void reserve(uint64_t start, uint64_t end);
  // One past the last usable frame. Linux: e820__end_of_ram_pfn.
  uint32_t end_of_ram_pfn() const;
  // "BIOS-e820: [mem ...] usable", one line an entry.
  void print(BootLog& log) const;

 private:
  std::vector<E820Entry> entries_;
};

}  // namespace fl::vm

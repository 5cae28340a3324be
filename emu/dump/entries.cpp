// Entries and error codes in words.
#include <array>

#include "emu/dump/dump.hpp"

namespace fl::emu {

std::string describe_entry(mmu::Pte entry, mmu::NoExecute no_execute) {
  using mmu::Pte;
  if (entry.none()) {
    return "empty";
  }
  if (entry.swap()) {
    return "swap";
  }
  std::string text = entry.hw_present() ? "present" : "prot-none";
  const auto add = [&text](std::string_view word) { text.append(" ").append(word); };
  add(entry.writable() ? "writable" : "read-only");
  add(entry.user() ? "user" : "supervisor");
  struct Name {
    uint32_t bit;
    std::string_view word;
  };
  // kGlobal is also kProtNone, which was named above.
  constexpr std::array<Name, 6> kNames{{{Pte::kWriteThrough, "write-through"},
                                        {Pte::kCacheDisable, "cache-disabled"},
                                        {Pte::kAccessed, "accessed"},
                                        {Pte::kDirty, "dirty"},
                                        {Pte::kLarge, "4-MiB"},
                                        {Pte::kSpecial, "special"}}};
  for (const Name& name : kNames) {
    if ((entry.raw() & name.bit) != 0) {
      add(name.word);
    }
  }
  if (entry.hw_present() && (entry.raw() & Pte::kGlobal) != 0) {
    add("global");
  }
  if (no_execute == mmu::NoExecute::kHonoured && entry.no_execute()) {
    add("no-execute");
  }
  return text;
}

std::string describe_error_code(uint32_t error_code) {
  using Error = mmu::PageFaultError;
  std::string text = (error_code & Error::kProtection) != 0 ? "protection" : "not present";
  text += (error_code & Error::kInstruction) != 0 ? ", fetch"
          : (error_code & Error::kWrite) != 0     ? ", write"
                                                  : ", read";
  text += (error_code & Error::kUser) != 0 ? ", user" : ", supervisor";
  if ((error_code & Error::kReserved) != 0) {
    text += ", reserved bit";
  }
  return text;
}

}  // namespace fl::emu

// Names of PROT_, MAP_ and O_ bits (asm-generic/mman-common.h, mman.h, fcntl.h with i386's values).
#include "emu/strace/flags.hpp"

#include <fmt/format.h>

#include <span>
#include <string_view>

namespace fl::emu {
namespace {

struct Name {
  uint32_t bits;
  std::string_view text;
};

// Wider masks stand before the bits that they contain.
void add_names(std::string& text, uint32_t bits, std::span<const Name> names) {
  const auto add = [&text](std::string_view name) {
    text += text.empty() ? "" : "|";
    text += name;
  };
  for (const Name& name : names) {
    if ((bits & name.bits) == name.bits) {
      add(name.text);
      bits &= ~name.bits;
    }
  }
  if (bits != 0) {
    add(fmt::format("{:#x}", bits));
  }
}

}  // namespace

std::string prot_names(uint32_t bits) {
  constexpr Name kNames[] = {{1, "PROT_READ"},
                             {2, "PROT_WRITE"},
                             {4, "PROT_EXEC"},
                             {8, "PROT_SEM"},
                             {0x01000000, "PROT_GROWSDOWN"},
                             {0x02000000, "PROT_GROWSUP"}};
  if (bits == 0) {
    return "PROT_NONE";
  }
  std::string text;
  add_names(text, bits, kNames);
  return text;
}

std::string map_names(uint32_t bits) {
  constexpr Name kNames[] = {{0x03, "MAP_SHARED_VALIDATE"}, {0x01, "MAP_SHARED"},
                             {0x02, "MAP_PRIVATE"},         {0x10, "MAP_FIXED"},
                             {0x20, "MAP_ANONYMOUS"},       {0x100, "MAP_GROWSDOWN"},
                             {0x800, "MAP_DENYWRITE"},      {0x1000, "MAP_EXECUTABLE"},
                             {0x2000, "MAP_LOCKED"},        {0x4000, "MAP_NORESERVE"},
                             {0x8000, "MAP_POPULATE"},      {0x10000, "MAP_NONBLOCK"},
                             {0x20000, "MAP_STACK"},        {0x40000, "MAP_HUGETLB"},
                             {0x80000, "MAP_SYNC"},         {0x100000, "MAP_FIXED_NOREPLACE"}};
  if (bits == 0) {
    return "0";
  }
  std::string text;
  add_names(text, bits, kNames);
  return text;
}

std::string open_names(uint32_t bits) {
  constexpr Name kNames[] = {{0x100, "O_NOCTTY"},      {0x40, "O_CREAT"},       {0x80, "O_EXCL"},
                             {0x200, "O_TRUNC"},       {0x400, "O_APPEND"},     {0x800, "O_NONBLOCK"},
                             {0x101000, "O_SYNC"},     {0x1000, "O_DSYNC"},     {0x2000, "O_ASYNC"},
                             {0x4000, "O_DIRECT"},     {0x8000, "O_LARGEFILE"}, {0x410000, "O_TMPFILE"},
                             {0x10000, "O_DIRECTORY"}, {0x20000, "O_NOFOLLOW"}, {0x40000, "O_NOATIME"},
                             {0x80000, "O_CLOEXEC"},   {0x200000, "O_PATH"}};
  constexpr std::string_view kModes[] = {"O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"};
  std::string text(kModes[bits & 3]);
  if ((bits & ~3u) != 0) {
    add_names(text, bits & ~3u, kNames);
  }
  return text;
}

}  // namespace fl::emu

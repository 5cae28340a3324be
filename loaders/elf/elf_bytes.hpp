// Takes ELF structures out of bytes. ELF files and the host are both little-endian, so it is a copy; bounds are
// checked. Linux counterpart: the casts in fs/binfmt_elf.c.
#pragma once

#include <bit>
#include <cstddef>
#include <cstring>
#include <span>
#include <type_traits>

#include "mmu/base/check.hpp"

namespace fl::loaders {

static_assert(std::endian::native == std::endian::little);

// The T at byte `offset`, which must be inside.
template <typename T>
T load_from(std::span<const std::byte> bytes, size_t offset = 0) {
  static_assert(std::is_trivially_copyable_v<T>);
  FL_CHECK(offset <= bytes.size() && sizeof(T) <= bytes.size() - offset);
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

}  // namespace fl::loaders

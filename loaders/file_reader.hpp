// How the loaders read an executable: by offset, through one virtual function, so that a file of the host, a file of
// the guest's file system and bytes in memory are all the same to them.
//
// Linux counterpart: kernel_read() and prepare_binprm() (fs/exec.c). Nothing here trusts a size that a file claims.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "mmu/base/result.hpp"

namespace fl::loaders {

class FileReader {
 public:
  virtual ~FileReader() = default;

  // Reads up to out.size() bytes that stand at `offset`. The result is smaller only where the file ends, 0 behind its
  // end. Errors: what reading the file gives (EIO, EISDIR...).
  virtual Result<size_t> read_at(uint64_t offset, std::span<std::byte> out) const = 0;

 protected:
  FileReader() = default;
  FileReader(const FileReader&) = default;
  FileReader& operator=(const FileReader&) = default;
};

// A file that is already in memory; the bytes must outlive the reader.
class MemoryReader final : public FileReader {
 public:
  explicit MemoryReader(std::span<const std::byte> bytes) : bytes_(bytes) {}
  Result<size_t> read_at(uint64_t offset, std::span<std::byte> out) const override;

 private:
  std::span<const std::byte> bytes_;
};

// The first bytes of a program, by which Linux chooses its loader. Linux: BINPRM_BUF_SIZE.
inline constexpr size_t kExecHeaderSize = 256;
using ExecHeader = std::array<std::byte, kExecHeaderSize>;

// The first 256 bytes, the rest zero if the file is shorter. Linux: prepare_binprm.
Result<ExecHeader> read_exec_header(const FileReader& file);

// All of out, or EIO where the file is too short. Linux: elf_read.
Status read_exactly(const FileReader& file, uint64_t offset, std::span<std::byte> out);

// What the file has of `size` bytes at `offset`, never more than `limit`. Memory grows with the bytes that are really
// there, not with `size`.
Result<std::vector<std::byte>> read_available(const FileReader& file, uint64_t offset, uint64_t size, size_t limit);

}  // namespace fl::loaders

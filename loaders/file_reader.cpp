// Reading executables: see file_reader.hpp. Linux counterpart: kernel_read, prepare_binprm, elf_read.
#include "loaders/file_reader.hpp"

#include <algorithm>

namespace fl::loaders {

Result<size_t> MemoryReader::read_at(uint64_t offset, std::span<std::byte> out) const {
  if (offset >= bytes_.size()) {
    return size_t{0};
  }
  const auto rest = bytes_.subspan(static_cast<size_t>(offset));
  const size_t count = std::min(rest.size(), out.size());
  std::copy_n(rest.begin(), count, out.begin());
  return count;
}

Result<ExecHeader> read_exec_header(const FileReader& file) {
  ExecHeader header{};
  FL_TRY(file.read_at(0, header));
  return header;
}

Status read_exactly(const FileReader& file, uint64_t offset, std::span<std::byte> out) {
  FL_TRY_ASSIGN(const size_t count, file.read_at(offset, out));
  if (count != out.size()) {
    return fail(Errno::kEIO);
  }
  return {};
}

Result<std::vector<std::byte>> read_available(const FileReader& file, uint64_t offset, uint64_t size, size_t limit) {
  constexpr size_t kChunk = 64 * 1024;
  const auto wanted = static_cast<size_t>(std::min<uint64_t>(size, limit));
  std::vector<std::byte> bytes;
  while (bytes.size() < wanted) {
    const size_t done = bytes.size();
    bytes.resize(done + std::min(kChunk, wanted - done));
    const std::span<std::byte> chunk = std::span(bytes).subspan(done);
    FL_TRY_ASSIGN(const size_t count, file.read_at(offset + done, chunk));
    if (count < chunk.size()) {
      bytes.resize(done + count);
      break;
    }
  }
  return bytes;
}

}  // namespace fl::loaders

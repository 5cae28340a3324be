// A guest's file as the loaders read it: through its page cache, so that looking at an executable caches its pages as
// on Linux. Linux counterpart: kernel_read.
#pragma once

#include <memory>
#include <utility>

#include "loaders/file_reader.hpp"
#include "vm/cache/mapping.hpp"
#include "vm/mm/vm_area.hpp"

namespace fl::loaders {

class MappingReader final : public FileReader {
 public:
  explicit MappingReader(std::shared_ptr<const vm::MappedFile> file) : file_(std::move(file)) {}

  Result<size_t> read_at(uint64_t offset, std::span<std::byte> out) const override {
    FL_TRY_ASSIGN(const uint32_t count, file_->mapping->read(offset, out, &file_->ra));
    return size_t{count};
  }

 private:
  std::shared_ptr<const vm::MappedFile> file_;
};

}  // namespace fl::loaders

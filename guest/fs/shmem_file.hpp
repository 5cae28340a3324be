// ShmemFile: a file whose pages live in the guest's RAM only: memfd_create. Linux counterparts: mm/shmem.c, mm/memfd.c.
#pragma once

#include <cstdint>
#include <memory>

#include "guest/fs/open_file.hpp"
#include "vm/cache/mapping.hpp"

namespace fl::guest {

// F_SEAL_* (linux/fcntl.h).
struct Seal {
  enum Bit : uint32_t { kSeal = 1, kShrink = 2, kGrow = 4, kWrite = 8, kFutureWrite = 16, kExec = 32 };
  static constexpr uint32_t kAll = 63;
};

class ShmemFile final : public OpenFile {
 public:
  // `seals`: those that hold from the start; Seal::kSeal unless sealing is allowed.
  ShmemFile(uint32_t flags, std::shared_ptr<LivePath> path, uint64_t inode, std::shared_ptr<vm::Mapping> mapping,
            uint32_t seals);

  Result<FileStat> stat() override;
  bool seekable() const override { return true; }
  Result<uint32_t> read(IoBuffer& to, uint64_t& at) override;
  Result<uint32_t> write(IoBuffer& from, uint64_t& at) override;
  Result<uint64_t> seek(int64_t offset, uint32_t whence) override;
  Status truncate(uint64_t size) override;
  Status allocate(uint32_t mode, uint64_t offset, uint64_t length) override;
  Status sync() override { return {}; }
  Status chmod(uint32_t mode) override;
  Result<FsStat> statfs() override;
  Result<std::shared_ptr<const vm::MappedFile>> mapped_file() override;

  uint32_t seals() const { return seals_; }
  // EPERM if sealing is over.
  Status add_seals(uint32_t seals);

 private:
  std::shared_ptr<vm::Mapping> mapping_;
  uint64_t inode_;
  uint32_t seals_;
  uint32_t mode_ = FileMode::kRegular | 0777;
  vm::MappedFile mapped_;
};

}  // namespace fl::guest

// Files whose content the kernel makes up: TextFile (a file of /proc) and ListDirectory (a directory of /proc or /dev).
// Linux counterparts: fs/seq_file.c, simple_dir_operations.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "guest/fs/inline_function.hpp"
#include "guest/fs/kernel_text.hpp"
#include "guest/fs/open_file.hpp"
#include "vm/slab/stl_allocator.hpp"

namespace fl::guest {

// What a file system made up by the kernel tells about one of its nodes.
FileStat synthetic_stat(DeviceNumber device, uint64_t ino, uint32_t mode, const FileTime& time);

// statfs of such a file system; `magic` as in linux/magic.h.
FsStat synthetic_statfs(uint64_t magic);
inline constexpr uint64_t kProcMagic = 0x9fa0;
inline constexpr uint64_t kSysfsMagic = 0x62656572;
inline constexpr uint64_t kTmpfsMagic = 0x01021994;

// How much one read gives. Linux: a seq_file whose show() is called for each record fills one page; single_open gives
// all.
enum class ReadSize : uint8_t { kWhole, kPageOfLines };

// Whether sendfile works on the file. Linux: the files of /proc/PID have no splice_read.
enum class Splice : uint8_t { kNo, kYes };

class TextFile final : public OpenFile {
 public:
  // Makes the whole text; called when a read starts at position 0.
  using Generate = InlineFunction<Result<std::string>()>;
  TextFile(uint32_t flags, std::shared_ptr<LivePath> path, vm::MemorySystem& memory, const FileStat& stat,
           Generate generate, ReadSize size, Splice splice, uint64_t magic = kProcMagic)
      : OpenFile(flags, std::move(path)),
        stat_(stat),
        generate_(generate),
        size_(size),
        splice_(splice),
        magic_(magic),
        text_(memory) {}

  // What a write does with its bytes; called once for each write(2). `at` is the file position before it.
  using Store = InlineFunction<Status(std::string_view text, uint64_t at)>;
  void set_store(Store store) { store_ = store; }

  Result<FileStat> stat() override { return stat_; }
  bool seekable() const override { return true; }
  Result<uint32_t> read(IoBuffer& to, uint64_t& at) override;
  // EIO for a file that takes none. Linux: proc_sys_write, proc_reg_write.
  Result<uint32_t> write(IoBuffer& from, uint64_t& at) override;
  Result<uint64_t> seek(int64_t offset, uint32_t whence) override;
  Result<FsStat> statfs() override;
  bool can_splice_read() const override { return splice_ == Splice::kYes; }

 private:
  uint32_t whole_lines(uint32_t from) const;

  FileStat stat_;
  Generate generate_;
  Store store_;
  ReadSize size_;
  Splice splice_;
  uint64_t magic_;
  KernelText text_;
  bool generated_ = false;
};

class ListDirectory final : public OpenFile {
 public:
  struct Item {
    std::string name;
    uint64_t ino = 0;
    uint32_t mode = 0;
  };
  // `items` without "." and "..".
  static Result<std::shared_ptr<OpenFile>> make(vm::MemorySystem& memory, uint32_t flags,
                                                std::shared_ptr<LivePath> path, const FileStat& stat,
                                                std::span<const Item> items, uint64_t magic = kProcMagic);
  // For make.
  ListDirectory(uint32_t flags, std::shared_ptr<LivePath> path, vm::SlabAllocator& slab, const FileStat& stat,
                uint64_t magic)
      : OpenFile(flags, std::move(path)),
        stat_(stat),
        magic_(magic),
        entries_(vm::SlabStlAllocator<Entry>(slab)),
        names_(vm::SlabStlAllocator<char>(slab)) {}

  Result<FileStat> stat() override { return stat_; }
  bool is_directory() const override { return true; }
  bool seekable() const override { return true; }
  Result<uint32_t> read(IoBuffer&, uint64_t&) override { return fail(Errno::kEISDIR); }
  Result<uint64_t> seek(int64_t offset, uint32_t whence) override;
  Status list(DirectorySink& sink) override;
  Result<FsStat> statfs() override;

 private:
  struct Entry {
    uint64_t ino;
    uint32_t name;  // where it begins in names_; it ends with a NUL
    uint8_t type;
  };
  void add(std::string_view name, uint64_t ino, uint32_t mode);

  FileStat stat_;
  uint64_t magic_;
  vm::SlabVector<Entry> entries_;
  vm::SlabString names_;
};

}  // namespace fl::guest

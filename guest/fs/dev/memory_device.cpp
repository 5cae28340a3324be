// Reading and writing the memory devices.
#include "guest/fs/dev/memory_device.hpp"

#include <array>

#include "guest/fs/fs_caches.hpp"
#include "guest/fs/synthetic.hpp"

namespace fl::guest {
namespace {

enum class Kind : uint8_t { kNull, kZero, kFull, kRandom };

class MemoryDevice final : public OpenFile {
 public:
  MemoryDevice(uint32_t flags, std::shared_ptr<LivePath> path, const FileStat& stat, Kind kind,
               const RandomBytes& random)
      : OpenFile(flags, std::move(path)), stat_(stat), kind_(kind), random_(random) {}

  Result<FileStat> stat() override { return stat_; }
  bool seekable() const override { return true; }

  Result<uint32_t> read(IoBuffer& to, uint64_t&) override {
    const uint32_t wanted = to.left();
    if (kind_ == Kind::kNull || wanted == 0) {
      return 0;
    }
    const uint32_t done = kind_ == Kind::kRandom ? put_random(to) : to.put_zeros(wanted);
    return done > 0 ? Result<uint32_t>(done) : fail(Errno::kEFAULT);
  }

  Result<uint32_t> write(IoBuffer& from, uint64_t&) override {
    const uint32_t count = from.left();
    if (kind_ == Kind::kFull) {
      return fail(Errno::kENOSPC);
    }
    if (kind_ != Kind::kRandom) {
      from.advance(count);  // the bytes are not even looked at
      return count;
    }
    // What is written stirs a pool that ours, being seeded, does not have; but the bytes must be readable.
    std::array<std::byte, 64> block;
    uint32_t done = 0;
    while (from.left() > 0) {
      const uint32_t taken = from.take(block);
      done += taken;
      if (taken < block.size()) {
        break;
      }
    }
    return done > 0 || count == 0 ? Result<uint32_t>(done) : fail(Errno::kEFAULT);
  }

  // Linux: null_lseek for null, zero and full; noop_llseek for random.
  Result<uint64_t> seek(int64_t, uint32_t) override {
    if (kind_ != Kind::kRandom) {
      pos = 0;
    }
    return pos;
  }

  Result<FsStat> statfs() override { return synthetic_statfs(kTmpfsMagic); }
  bool maps_anonymous() const override { return kind_ == Kind::kZero; }

 private:
  uint32_t put_random(IoBuffer& to) {
    std::array<std::byte, 256> block;
    uint32_t done = 0;
    while (to.left() > 0) {
      const auto bytes = std::span(block).first(std::min<size_t>(block.size(), to.left()));
      random_(bytes);
      const uint32_t moved = to.put(bytes);
      done += moved;
      if (moved < bytes.size()) {
        break;
      }
    }
    return done;
  }

  FileStat stat_;
  Kind kind_;
  const RandomBytes& random_;
};

}  // namespace

Result<std::shared_ptr<OpenFile>> make_memory_device(vm::MemorySystem& memory, std::string_view name, uint32_t flags,
                                                     std::shared_ptr<LivePath> path, const FileStat& stat,
                                                     const RandomBytes& random) {
  Kind kind = Kind::kNull;
  if (name == "zero") {
    kind = Kind::kZero;
  } else if (name == "full") {
    kind = Kind::kFull;
  } else if (name == "random" || name == "urandom") {
    kind = Kind::kRandom;
  } else if (name != "null") {
    return fail(Errno::kENXIO);
  }
  return make_file<MemoryDevice>(memory, flags, std::move(path), stat, kind, random);
}

}  // namespace fl::guest

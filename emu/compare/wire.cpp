// Each member after the other; a list is its length and its elements.
#include "emu/compare/wire.hpp"

#include <cstring>
#include <type_traits>

namespace fl::emu {
namespace {

class Writer {
 public:
  template <typename T>
  void operator()(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    append(&value, sizeof value);
  }
  template <typename T>
  void operator()(const std::vector<T>& list) {
    (*this)(uint64_t{list.size()});
    append(list.data(), list.size() * sizeof(T));
  }
  void operator()(const std::string& text) {
    (*this)(uint64_t{text.size()});
    append(text.data(), text.size());
  }
  void operator()(const std::vector<std::string>& list) {
    (*this)(uint64_t{list.size()});
    for (const std::string& text : list) {
      (*this)(text);
    }
  }
  std::vector<std::byte> take() { return std::move(bytes_); }

 private:
  void append(const void* from, size_t size) {
    const size_t at = bytes_.size();
    bytes_.resize(at + size);
    if (size != 0) {
      std::memcpy(bytes_.data() + at, from, size);
    }
  }
  std::vector<std::byte> bytes_;
};

class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : left_(bytes) {}
  template <typename T>
  void operator()(T& value) {
    take(&value, sizeof value);
  }
  template <typename T>
  void operator()(std::vector<T>& list) {
    list.resize(length(sizeof(T)));
    take(list.data(), list.size() * sizeof(T));
  }
  void operator()(std::string& text) {
    text.resize(length(1));
    take(text.data(), text.size());
  }
  void operator()(std::vector<std::string>& list) {
    list.resize(length(sizeof(uint64_t)));
    for (std::string& text : list) {
      (*this)(text);
    }
  }
  bool complete() const { return good_ && left_.empty(); }

 private:
  uint64_t length(size_t element) {
    uint64_t count = 0;
    (*this)(count);
    if (count > left_.size() / element) {
      good_ = false;
      return 0;
    }
    return count;
  }
  void take(void* to, size_t size) {
    if (size > left_.size()) {
      good_ = false;
      return;
    }
    if (size != 0) {
      std::memcpy(to, left_.data(), size);
    }
    left_ = left_.subspan(size);
  }
  std::span<const std::byte> left_;
  bool good_ = true;
};

// One list of the members for both directions.
template <typename Run, typename Archive>
void each_member(Run& run, Archive& archive) {
  archive(run.faults);
  archive(run.areas);
  archive(run.names);
  archive(run.processes);
  archive(run.minflt);
  archive(run.majflt);
  archive(run.refused);
  archive(run.exit_status);
  archive(run.unimplemented);
}

}  // namespace

std::vector<std::byte> pack(const OurRun& run) {
  Writer writer;
  each_member(run, writer);
  return writer.take();
}

std::optional<OurRun> unpack(std::span<const std::byte> bytes) {
  OurRun run;
  Reader reader(bytes);
  each_member(run, reader);
  return reader.complete() ? std::optional(std::move(run)) : std::nullopt;
}

}  // namespace fl::emu

// OutputFile: a file that a run writes a lot to (trace, strace): one big buffer, plain write(2), and an error that
// stays.
//
// Nothing is lost in silence: the first error is kept, later output is dropped, and the owner asks for it (failed,
// close). Not for stderr messages. Descriptors are close-on-exec.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "emu/base/host_error.hpp"

namespace fl::emu {

class OutputFile {
 public:
  // Opens `path` or makes it. `what` names it in messages: "trace file". A file that was there keeps its contents until
  // begin() or the first flush; destroyed before that, everything is left as it was found.
  static HostResult<std::unique_ptr<OutputFile>> create(const std::string& path, std::string_view what);
  // Writes to a copy of an open descriptor: --strace to stderr.
  static HostResult<std::unique_ptr<OutputFile>> on_descriptor(int fd, std::string_view what);
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  ~OutputFile();

  // Room for `bytes` (at most kBuffer) at the returned place; commit() says how far it was filled.
  char* reserve(size_t bytes) {
    if (kBuffer - used_ < bytes) [[unlikely]] {
      flush();
    }
    return buffer_.get() + used_;
  }
  void commit(const char* end) { used_ = static_cast<size_t>(end - buffer_.get()); }
  void append(std::string_view text);
  // The run has started: from here on the file is the run's, and empty.
  void begin();
  // Writes what is buffered.
  void flush();

  bool failed() const { return error_ != 0; }
  // "cannot write the trace file: PATH: No space left on device".
  HostError error() const;
  // Flushes and closes; reports the first error of the file's whole life.
  HostStatus close();

  // Small enough to stay in a processor cache between us and the kernel.
  static constexpr size_t kBuffer = 128u << 10;

 private:
  OutputFile(int fd, std::string path, std::string_view what);

  enum class State : uint8_t { kMade, kFound, kBegun };
  int fd_;
  State state_ = State::kBegun;
  int error_ = 0;
  size_t used_ = 0;
  std::string path_;
  std::string what_;
  std::unique_ptr<char[]> buffer_;
};

}  // namespace fl::emu

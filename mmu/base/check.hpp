// FL_CHECK: our own bugs. A failed check prints what was expected and where, lets registered dumpers describe the
// machine (task, VMA, PTE, page) and aborts. It is on in every build: a wrong memory manager must not go on. Linux
// counterpart: BUG_ON.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <string>

namespace fl {

[[noreturn]] void check_failed(const char* expression, const char* file, int line, const std::string& message);

// While it lives, `dump` is called (innermost first) when a check fails. The machine registers one that prints its
// state.
class CheckDumper {
 public:
  explicit CheckDumper(std::function<void()> dump);
  ~CheckDumper();
  CheckDumper(const CheckDumper&) = delete;
  CheckDumper& operator=(const CheckDumper&) = delete;

 private:
  friend void check_failed(const char*, const char*, int, const std::string&);
  std::function<void()> dump_;
  CheckDumper* outer_;
};

}  // namespace fl

// FL_CHECK(condition) or FL_CHECK(condition, "format", args...).
#define FL_CHECK(condition, ...)                                                         \
  do {                                                                                   \
    if (!(condition)) [[unlikely]] {                                                     \
      ::fl::check_failed(#condition, __FILE__, __LINE__, ::fmt::format("" __VA_ARGS__)); \
    }                                                                                    \
  } while (false)

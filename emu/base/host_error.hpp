// HostError: what the host's user must be told because a run cannot start or go on. Ends the program with status 125,
// or with another where a command documents one.
//
// Not for the guest's errors (Result, an errno) and not for our own bugs (FL_CHECK).
#pragma once

#include <fmt/format.h>

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace fl::emu {

// Exit statuses that are not the guest's, as timeout(1) and env(1) use them.
inline constexpr int kExitHostError = 125;
inline constexpr int kExitTimeout = 124;
// `record` and `compare`: this host cannot give a native reference.
inline constexpr int kExitNoReference = 3;
// `record` and `compare`: a command line that cannot be used.
inline constexpr int kExitUsage = 2;

// One line: "cannot WHAT: VALUE: what is wrong or what to do". Printed after "faultline: ".
struct HostError {
  std::string message;
  int status = kExitHostError;
};

template <typename T>
using HostResult = tl::expected<T, HostError>;
using HostStatus = HostResult<void>;

template <typename... Args>
tl::unexpected<HostError> host_error(fmt::format_string<Args...> format, Args&&... args) {
  return tl::unexpected<HostError>(HostError{fmt::format(format, std::forward<Args>(args)...)});
}

}  // namespace fl::emu

// FL_HOST_TRY_SET(target, expr): evaluates a HostResult, returns its error, if any, and stores its value.
#define FL_HOST_TRY_SET(target, expr)                                                  \
  do {                                                                                 \
    auto&& fl_host_result_ = (expr);                                                   \
    if (!fl_host_result_.has_value()) {                                                \
      return tl::unexpected<::fl::emu::HostError>(std::move(fl_host_result_).error()); \
    }                                                                                  \
    (target) = *std::move(fl_host_result_);                                            \
  } while (false)

// FL_HOST_TRY(expr): evaluates a HostStatus and returns its error, if any.
#define FL_HOST_TRY(expr)                                                              \
  do {                                                                                 \
    if (auto&& fl_host_result_ = (expr); !fl_host_result_.has_value()) {               \
      return tl::unexpected<::fl::emu::HostError>(std::move(fl_host_result_).error()); \
    }                                                                                  \
  } while (false)

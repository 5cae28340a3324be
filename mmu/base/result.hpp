// Result<T>: what a guest can make fail. An Errno is an answer to the guest, not an error of ours (see check.hpp).
#pragma once

#include <tl/expected.hpp>

#include "mmu/base/errno.hpp"

namespace fl {

template <typename T>
using Result = tl::expected<T, Errno>;
using Status = Result<void>;

inline tl::unexpected<Errno> fail(Errno error) { return tl::unexpected<Errno>(error); }

}  // namespace fl

#define FL_CONCAT_INNER(a, b) a##b
#define FL_CONCAT(a, b) FL_CONCAT_INNER(a, b)

// FL_TRY(expr): evaluates a Status (or a Result whose value is not needed) and returns its error, if any.
#define FL_TRY(expr)                                                   \
  do {                                                                 \
    if (auto&& fl_try_result_ = (expr); !fl_try_result_.has_value()) { \
      return ::fl::fail(fl_try_result_.error());                       \
    }                                                                  \
  } while (false)

// FL_TRY_ASSIGN(auto x, expr): x = the value of a Result, or returns its error.
#define FL_TRY_ASSIGN(decl, expr) FL_TRY_ASSIGN_INNER(FL_CONCAT(fl_try_value_, __LINE__), decl, expr)
#define FL_TRY_ASSIGN_INNER(tmp, decl, expr) \
  auto tmp = (expr);                         \
  if (!tmp.has_value()) {                    \
    return ::fl::fail(tmp.error());          \
  }                                          \
  decl = std::move(tmp).value()

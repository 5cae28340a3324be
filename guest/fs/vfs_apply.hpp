// Vfs::apply: one step first, the whole walk only if that meets a symbolic link. Included by the Vfs's own sources.
#pragma once

#include "guest/fs/path.hpp"
#include "guest/fs/vfs.hpp"

namespace fl::guest {

// The path without its doubled slashes if it has no ".", ".." or trailing slash: then nothing but a symbolic link can
// make the canonical path another one. Empty: it must be walked.
inline std::string plain_path(std::string base, std::string_view path) {
  if (path.ends_with('/')) {
    return {};
  }
  while (true) {
    const std::string_view name = next_component(path);
    if (name.empty()) {
      return base;
    }
    if (name == "." || name == "..") {
      return {};
    }
    base += '/';
    base += name;
  }
}

// `operation` answers ELOOP if the place is a symbolic link that it would have to follow.
template <typename Operation>
auto Vfs::apply(const At& at, std::string_view path, Follow follow, LastMayBeMissing missing, Operation operation)
    -> std::invoke_result_t<Operation, const Spot&> {
  FL_TRY_ASSIGN(std::string base, start(at, path));
  if (std::string full = plain_path(std::move(base), path); !full.empty()) {
    auto result = operation(spot(std::move(full)));
    if (result || result.error() != Errno::kELOOP) {
      return result;
    }
  }
  FL_TRY_ASSIGN(const Spot place, walk(at, path, follow, missing));
  return operation(place);
}

}  // namespace fl::guest

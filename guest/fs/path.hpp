// Taking path strings apart. Linux counterpart: the string half of link_path_walk.
#pragma once

#include <string>
#include <string_view>

namespace fl::guest {

inline constexpr uint32_t kPathMax = 4096;  // with the NUL
inline constexpr int kMaxSymlinks = 40;     // Linux: MAXSYMLINKS

// Cuts the first component off `rest`; empty if there is none. `rest` begins behind it, with its slashes.
inline std::string_view next_component(std::string_view& rest) {
  const size_t begin = rest.find_first_not_of('/');
  if (begin == std::string_view::npos) {
    rest = {};
    return {};
  }
  const size_t end = std::min(rest.find('/', begin), rest.size());
  const std::string_view component = rest.substr(begin, end - begin);
  rest = rest.substr(end);
  return component;
}

inline bool has_component(std::string_view rest) { return rest.find_first_not_of('/') != std::string_view::npos; }

inline std::string_view without_trailing_slashes(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') {
    path.remove_suffix(1);
  }
  return path;
}

inline std::string parent_of(const std::string& canonical) {
  const size_t slash = canonical.rfind('/');
  return slash == std::string::npos ? "" : canonical.substr(0, slash);
}

// What the last component of a path is, trailing slashes left out. Linux: LAST_NORM, LAST_ROOT, LAST_DOT, LAST_DOTDOT.
enum class LastComponent { kNormal, kRoot, kDot, kDotDot };
inline LastComponent last_component(std::string_view path) {
  path = without_trailing_slashes(path);
  const std::string_view last = path.substr(path.rfind('/') == std::string_view::npos ? 0 : path.rfind('/') + 1);
  if (last.empty()) {
    return LastComponent::kRoot;
  }
  return last == "." ? LastComponent::kDot : last == ".." ? LastComponent::kDotDot : LastComponent::kNormal;
}

// `path` is `directory` or lies below it; both canonical.
inline bool path_is_below(std::string_view path, std::string_view directory) {
  return path.starts_with(directory) && (path.size() == directory.size() || path[directory.size()] == '/');
}

}  // namespace fl::guest

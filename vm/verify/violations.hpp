// Violations: the lines that the checks of vm/verify have to say. Inside vm/verify only.
#pragma once

#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

namespace fl::vm {

// Numbers of the list in vm/README.md.
enum class Invariant : int {
  kPageState = 1,
  kBuddy = 2,
  kAreas = 3,
  kEntryRights = 4,
  kMapCount = 5,
  kRefCount = 6,
  kRmap = 7,
  kZeroPage = 8,
  kSwap = 9,
  kPageCache = 10,
  kLru = 11,
  kCounters = 12,
  kTables = 13,
  kSlab = 14,
  kTranslations = 15,
  kFreeCode = 16,
};

class Violations {
 public:
  template <typename... Args>
  void add(Invariant invariant, fmt::format_string<Args...> format, Args&&... args) {
    if (lines_.size() < kMaxLines) {
      lines_.push_back(fmt::format("invariant {}: ", static_cast<int>(invariant)) +
                       fmt::format(format, std::forward<Args>(args)...));
    }
  }
  bool full() const { return lines_.size() == kMaxLines; }
  std::vector<std::string> take() { return std::move(lines_); }

 private:
  static constexpr size_t kMaxLines = 100;  // one mistake often breaks thousands of pages
  std::vector<std::string> lines_;
};

}  // namespace fl::vm

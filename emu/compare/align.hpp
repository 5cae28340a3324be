// align: which fault here belongs to which fault of the reference, and what kind of difference is left.
//
// Processes are matched by their place in the tree, tasks by the order in which they first fault. Within a task the
// lists are aligned in order (diff.hpp); what is left over is paired with an equal fault elsewhere in the task (another
// order) or in another task of the process, then with a fault on the same page (another kind). README.md tells more.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "emu/compare/fault_list.hpp"

namespace fl::emu {

enum class Level : uint8_t { kTotal, kPages, kOrder };
// "total", "pages", "order".
std::optional<Level> parse_level(std::string_view text);
std::string_view level_name(Level level);

enum class Relation : uint8_t {
  kEqual,
  kOtherTask,  // equal, by another task of the process
  kOrder,      // equal, at another place of the task's list
  kKind,       // the same page, but another mode, access, or minor for major
  kMissing,    // only in the reference
  kExtra,      // only here
};
inline constexpr size_t kRelations = 6;
std::string_view relation_name(Relation relation);

struct AlignedFault {
  Relation relation = Relation::kEqual;
  uint32_t real = kNoIndex, ours = kNoIndex;  // index in the list's faults
};

struct Alignment {
  // By process and task, each in the order of the reference with extra ones where they occurred here.
  std::vector<AlignedFault> faults;
  std::array<uint64_t, kRelations> count{};
  // The lists differ so much that the pairing may leave more over than it had to.
  bool coarse = false;

  uint64_t of(Relation relation) const { return count[static_cast<size_t>(relation)]; }
  // Differences at this level (kTotal looks at totals, not at faults: 0).
  uint64_t differences(Level level) const;
};

// Is this relation a difference at the level?
bool differs(Relation relation, Level level);

Alignment align(const FaultList& real, const FaultList& ours);

// The process of `ours` at the same place in the tree as each of `real`, or kNoIndex.
std::vector<uint32_t> match_processes(const std::vector<ListedProcess>& real, const std::vector<ListedProcess>& ours);

}  // namespace fl::emu

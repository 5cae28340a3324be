// Aligning task by task, then pairing what is left over.
#include "emu/compare/align.hpp"

#include <algorithm>
#include <bit>
#include <map>
#include <tuple>
#include <unordered_map>

namespace fl::emu {
namespace {

using Indices = std::vector<uint32_t>;

// The faults of one task on both sides, as indices into the lists.
struct TaskPair {
  Indices real, ours;
};

class Aligner {
 public:
  Aligner(const FaultList& real, const FaultList& ours)
      : real_(real),
        ours_(ours),
        real_partner_(real.faults.size(), kNoIndex),
        ours_partner_(ours.faults.size(), kNoIndex) {
    real_relation_.resize(real.faults.size(), Relation::kMissing);
  }

  Alignment run() {
    split();
    for (auto& [place, pair] : tasks_) {
      align_task(pair);
    }
    // In this order: the same fault elsewhere explains more than another fault on the same page.
    for (auto& [place, pair] : tasks_) {
      pair_equal(pair.real, pair.ours, Relation::kOrder);
    }
    pair_across_tasks();
    for (auto& [place, pair] : tasks_) {
      pair_pages(pair);
    }
    for (const auto& [place, pair] : tasks_) {
      emit(pair);
    }
    return std::move(result_);
  }

 private:
  using Place = std::pair<uint32_t, uint32_t>;  // process of the reference (or past its end, one of ours), task

  void split() {
    const Indices match = match_processes(real_.processes, ours_.processes);
    Indices back(ours_.processes.size(), kNoIndex);
    for (uint32_t i = 0; i < match.size(); ++i) {
      if (match[i] != kNoIndex) {
        back[match[i]] = i;
      }
    }
    for (uint32_t i = 0; i < real_.faults.size(); ++i) {
      tasks_[{real_.faults[i].process, real_.faults[i].task}].real.push_back(i);
    }
    const auto unmatched = static_cast<uint32_t>(real_.processes.size());
    for (uint32_t i = 0; i < ours_.faults.size(); ++i) {
      const ListedFault& fault = ours_.faults[i];
      const uint32_t process = fault.process < back.size() ? back[fault.process] : kNoIndex;
      tasks_[{process != kNoIndex ? process : unmatched + fault.process, fault.task}].ours.push_back(i);
    }
  }

  void link(uint32_t real, uint32_t ours, Relation relation) {
    real_partner_[real] = ours;
    ours_partner_[ours] = real;
    real_relation_[real] = relation;
  }

  void align_task(const TaskPair& pair) {
    std::vector<DiffKey> first, second;
    first.reserve(pair.real.size());
    second.reserve(pair.ours.size());
    for (const uint32_t i : pair.real) {
      first.push_back(real_.faults[i].key());
    }
    for (const uint32_t i : pair.ours) {
      second.push_back(ours_.faults[i].key());
    }
    const DiffResult result = diff(first, second);
    result_.coarse |= !result.shortest;
    for (size_t i = 0; i < result.partner.size(); ++i) {
      if (result.partner[i] != DiffResult::kNone) {
        link(pair.real[i], pair.ours[result.partner[i]], Relation::kEqual);
      }
    }
  }

  Indices left_of(const Indices& all, const Indices& partner) const {
    Indices left;
    std::copy_if(all.begin(), all.end(), std::back_inserter(left),
                 [&partner](uint32_t i) { return partner[i] == kNoIndex; });
    return left;
  }

  // Pairs equal faults wherever they are. What the reference knows best chooses first, so that no choice takes away
  // another's only partner (the sets of possible accesses are nested).
  void pair_equal(const Indices& real, const Indices& ours, Relation relation) {
    Indices wanting = left_of(real, real_partner_);
    std::stable_sort(wanting.begin(), wanting.end(), [this](uint32_t a, uint32_t b) {
      return std::popcount(real_.faults[a].access) < std::popcount(real_.faults[b].access);
    });
    std::unordered_map<uint64_t, Indices> offered;  // latest first, so that the earliest is taken from the end
    const Indices left = left_of(ours, ours_partner_);
    for (auto i = left.rbegin(); i != left.rend(); ++i) {
      const DiffKey key = ours_.faults[*i].key();
      offered[uint64_t{key.base} << 8 | key.choices].push_back(*i);
    }
    for (const uint32_t i : wanting) {
      const DiffKey key = real_.faults[i].key();
      for (uint8_t bit = access_bits::kRead; bit <= access_bits::kExec; bit = static_cast<uint8_t>(bit << 1)) {
        const auto found = (key.choices & bit) != 0 ? offered.find(uint64_t{key.base} << 8 | bit) : offered.end();
        if (found != offered.end() && !found->second.empty()) {
          link(i, found->second.back(), relation);
          found->second.pop_back();
          break;
        }
      }
    }
  }

  void pair_across_tasks() {
    for (auto first = tasks_.begin(); first != tasks_.end();) {
      const auto end = std::find_if(first, tasks_.end(),
                                    [&first](const auto& entry) { return entry.first.first != first->first.first; });
      if (std::distance(first, end) > 1) {
        TaskPair all;
        for (; first != end; ++first) {
          all.real.insert(all.real.end(), first->second.real.begin(), first->second.real.end());
          all.ours.insert(all.ours.end(), first->second.ours.begin(), first->second.ours.end());
        }
        pair_equal(all.real, all.ours, Relation::kOtherTask);
      }
      first = end;
    }
  }

  // Same task, same page: the n-th that is left on one side with the n-th on the other.
  void pair_pages(const TaskPair& pair) {
    std::unordered_map<uint32_t, Indices> offered;
    const Indices left = left_of(pair.ours, ours_partner_);
    for (auto i = left.rbegin(); i != left.rend(); ++i) {
      offered[ours_.faults[*i].page()].push_back(*i);
    }
    for (const uint32_t i : left_of(pair.real, real_partner_)) {
      const auto found = offered.find(real_.faults[i].page());
      if (found != offered.end() && !found->second.empty()) {
        link(i, found->second.back(), Relation::kKind);
        found->second.pop_back();
      }
    }
  }

  void add(Relation relation, uint32_t real, uint32_t ours) {
    result_.faults.push_back({relation, real, ours});
    ++result_.count[static_cast<size_t>(relation)];
  }

  // The reference's order; extra ones before the fault that they precede here.
  void emit(const TaskPair& pair) {
    auto next = pair.ours.begin();
    const auto add_extras_before = [&](uint32_t end) {
      for (; next != pair.ours.end() && *next != end; ++next) {
        if (ours_partner_[*next] == kNoIndex) {
          add(Relation::kExtra, kNoIndex, *next);
        }
      }
    };
    for (const uint32_t i : pair.real) {
      if (real_relation_[i] == Relation::kEqual) {
        add_extras_before(real_partner_[i]);
        ++next;
      }
      add(real_relation_[i], i, real_partner_[i]);
    }
    add_extras_before(kNoIndex);
  }

  const FaultList& real_;
  const FaultList& ours_;
  std::map<Place, TaskPair> tasks_;
  Indices real_partner_, ours_partner_;
  std::vector<Relation> real_relation_;
  Alignment result_;
};

}  // namespace

std::optional<Level> parse_level(std::string_view text) {
  for (const Level level : {Level::kTotal, Level::kPages, Level::kOrder}) {
    if (text == level_name(level)) {
      return level;
    }
  }
  return std::nullopt;
}

std::string_view level_name(Level level) {
  static constexpr std::array<std::string_view, 3> kNames{"total", "pages", "order"};
  return kNames[static_cast<size_t>(level)];
}

std::string_view relation_name(Relation relation) {
  static constexpr std::array<std::string_view, kRelations> kNames{"equal", "other_task", "order",
                                                                   "kind",  "missing",    "extra"};
  return kNames[static_cast<size_t>(relation)];
}

bool differs(Relation relation, Level level) {
  switch (relation) {
    case Relation::kEqual:
      return false;
    case Relation::kOtherTask:
    case Relation::kOrder:
      return level == Level::kOrder;
    case Relation::kKind:
    case Relation::kMissing:
    case Relation::kExtra:
      return level != Level::kTotal;
  }
  return false;
}

uint64_t Alignment::differences(Level level) const {
  uint64_t sum = 0;
  for (size_t i = 0; i < kRelations; ++i) {
    sum += differs(static_cast<Relation>(i), level) ? count[i] : 0;
  }
  return sum;
}

std::vector<uint32_t> match_processes(const std::vector<ListedProcess>& real, const std::vector<ListedProcess>& ours) {
  std::map<std::tuple<uint32_t, uint32_t>, uint32_t> children;  // of ours, by parent and place
  for (uint32_t i = 0; i < ours.size(); ++i) {
    children.try_emplace({static_cast<uint32_t>(ours[i].parent), ours[i].child}, i);
  }
  std::vector<uint32_t> match(real.size(), kNoIndex);
  // Parents come before their children.
  for (uint32_t i = 0; i < real.size(); ++i) {
    const int32_t parent = real[i].parent;
    uint32_t parent_here = kNoIndex;  // what -1 is as well
    if (parent >= 0) {
      parent_here = static_cast<uint32_t>(parent) < i ? match[static_cast<uint32_t>(parent)] : kNoIndex;
      if (parent_here == kNoIndex) {
        continue;
      }
    }
    const auto found = children.find({parent_here, real[i].child});
    if (found != children.end()) {
      match[i] = found->second;
    }
  }
  return match;
}

Alignment align(const FaultList& real, const FaultList& ours) { return Aligner(real, ours).run(); }

}  // namespace fl::emu

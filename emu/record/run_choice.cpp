// Counting equal lists, of runs and of processes.
#include "emu/record/run_choice.hpp"

#include <algorithm>
#include <functional>
#include <numeric>
#include <tuple>

namespace fl::emu {
namespace {

using Faults = std::vector<NativeFault>;

// Everything about a fault but its moment.
auto key(const NativeFault& fault) {
  return std::tuple(fault.process, fault.task, fault.mode, fault.access, fault.major, fault.addr & ~0xfffu, fault.ip);
}

// Task after task, each in its own order.
Faults by_task(const Faults& faults) {
  Faults sorted = faults;
  std::stable_sort(sorted.begin(), sorted.end(), [](const NativeFault& a, const NativeFault& b) {
    return std::tuple(a.process, a.task) < std::tuple(b.process, b.task);
  });
  return sorted;
}

// The faults of one process in a list that by_task() made.
std::span<const NativeFault> faults_of(const Faults& sorted, size_t process) {
  const auto before = [](const NativeFault& fault, size_t number) { return fault.process < number; };
  const auto first = std::lower_bound(sorted.begin(), sorted.end(), process, before);
  return {first, std::lower_bound(first, sorted.end(), process + 1, before)};
}

bool same_keys(std::span<const NativeFault> a, std::span<const NativeFault> b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const NativeFault& x, const NativeFault& y) { return key(x) == key(y); });
}

auto totals(const NativeProcess& process) { return std::tuple(process.minflt, process.majflt, process.gup_faults); }

bool same_totals(const RunList& a, const RunList& b) {
  return a.minflt == b.minflt && a.majflt == b.majflt &&
         std::equal(a.processes.begin(), a.processes.end(), b.processes.begin(), b.processes.end(),
                    [](const NativeProcess& x, const NativeProcess& y) { return totals(x) == totals(y); });
}

// The same tree, with the same ends.
bool same_shape(const RunList& a, const RunList& b) {
  return a.gup == b.gup && a.exit_status == b.exit_status &&
         std::equal(a.processes.begin(), a.processes.end(), b.processes.begin(), b.processes.end(),
                    [](const NativeProcess& x, const NativeProcess& y) {
                      return std::tuple(x.parent, x.child, x.tasks.size(), x.exit_status) ==
                             std::tuple(y.parent, y.child, y.tasks.size(), y.exit_status);
                    });
}

// The member that most others are equal to, the first of several, and how many are (itself included).
struct Majority {
  size_t member = 0;
  uint32_t size = 0;
};
Majority majority(const std::vector<size_t>& members, const std::function<bool(size_t, size_t)>& equal) {
  Majority best;
  for (const size_t one : members) {
    const auto size = static_cast<uint32_t>(
        std::count_if(members.begin(), members.end(), [&](size_t other) { return equal(one, other); }));
    if (size > best.size) {
      best = {one, size};
    }
  }
  return best;
}

class Chooser {
 public:
  explicit Chooser(const std::vector<RunList>& runs) : runs_(runs) {
    for (const RunList& run : runs) {
      sorted_.push_back(by_task(run.faults));
    }
  }

  RunChoice choose() {
    std::vector<size_t> all(runs_.size());
    std::iota(all.begin(), all.end(), size_t{0});
    const Majority whole = majority(all, [this](size_t a, size_t b) {
      return same_shape(runs_[a], runs_[b]) && same_totals(runs_[a], runs_[b]) && same_keys(sorted_[a], sorted_[b]);
    });
    if (2 * whole.size > runs_.size() || runs_[whole.member].processes.size() == 1) {
      RunChoice choice{runs_[whole.member], whole.member, whole.size};
      auto& processes = choice.list.processes;
      std::erase_if(all, [&](size_t run) { return !same_shape(runs_[run], choice.list); });
      for (size_t i = 0; i < processes.size(); ++i) {
        processes[i].agreeing = static_cast<uint32_t>(
            std::count_if(all.begin(), all.end(), [&](size_t run) { return same_list(run, whole.member, i); }));
      }
      return choice;
    }
    const Majority shape = majority(all, [this](size_t a, size_t b) { return same_shape(runs_[a], runs_[b]); });
    std::erase_if(all, [&](size_t run) { return !same_shape(runs_[run], runs_[shape.member]); });
    return compose(all);
  }

 private:
  // `candidates` have the same shape.
  RunChoice compose(const std::vector<size_t>& candidates) {
    const RunList& pattern = runs_[candidates.front()];
    RunChoice choice{pattern, candidates.front(), static_cast<uint32_t>(runs_.size())};
    RunList& list = choice.list;
    list.faults.clear();
    list.minflt = list.majflt = list.gup_faults = 0;
    for (size_t i = 0; i < list.processes.size(); ++i) {
      const Majority best = best_of(candidates, i);
      const RunList& run = runs_[best.member];
      list.processes[i] = run.processes[i];
      list.processes[i].agreeing = best.size;
      choice.agreeing = std::min(choice.agreeing, best.size);
      if (i == 0) {
        choice.run = best.member;
      }
      const auto faults = faults_of(sorted_[best.member], i);
      list.faults.insert(list.faults.end(), faults.begin(), faults.end());
      list.minflt += run.processes[i].minflt;
      list.majflt += run.processes[i].majflt;
      list.gup_faults += run.processes[i].gup_faults.value_or(0);
    }
    if (!known_everywhere(list)) {
      // The totals are those of one run; which processes' they are is not known.
      const RunList& run = runs_[choice.run];
      list.minflt = run.minflt;
      list.majflt = run.majflt;
      list.gup_faults = run.gup_faults;
    }
    std::stable_sort(list.faults.begin(), list.faults.end(),
                     [](const NativeFault& a, const NativeFault& b) { return a.time_ns < b.time_ns; });
    return choice;
  }

  // The most frequent list of a process; if no two are equal, one with the most frequent totals.
  Majority best_of(std::vector<size_t> candidates, size_t process) const {
    const Majority list = majority(candidates, [&](size_t a, size_t b) { return same_list(a, b, process); });
    if (list.size > 1) {
      return list;
    }
    const Majority total = majority(candidates, [&](size_t a, size_t b) { return same_total(a, b, process); });
    return {total.member, 1};
  }

  // Of one process in two runs of the same shape.
  bool same_total(size_t a, size_t b, size_t process) const {
    return totals(runs_[a].processes[process]) == totals(runs_[b].processes[process]);
  }
  bool same_list(size_t a, size_t b, size_t process) const {
    return same_total(a, b, process) && same_keys(faults_of(sorted_[a], process), faults_of(sorted_[b], process));
  }

  static bool known_everywhere(const RunList& list) {
    return std::all_of(list.processes.begin(), list.processes.end(),
                       [](const NativeProcess& process) { return process.gup_faults.has_value(); });
  }

  const std::vector<RunList>& runs_;
  std::vector<Faults> sorted_;
};

}  // namespace

bool same_faults(const RunList& a, const RunList& b) {
  return same_shape(a, b) && same_totals(a, b) && same_keys(by_task(a.faults), by_task(b.faults));
}

RunChoice choose_run(const std::vector<RunList>& runs) { return Chooser(runs).choose(); }

}  // namespace fl::emu

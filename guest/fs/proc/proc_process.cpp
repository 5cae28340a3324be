// What /proc tells of a process's limits, of how it would fare when memory is short, of its children, and who may look.
// Linux counterparts: proc_pid_limits, proc_oom_score, oom_score_adj_write (fs/proc/base.c), children_seq_show
// (fs/proc/array.c).
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <iterator>
#include <limits>
#include <optional>

#include "guest/fs/proc/mapped_page.hpp"
#include "guest/fs/proc/proc_text.hpp"
#include "guest/fs/proc/sysctl.hpp"
#include "guest/kernel.hpp"
#include "guest/syscall/file_support.hpp"
#include "guest/task.hpp"
#include "guest/task/oom_kill.hpp"
#include "vm/info/totals.hpp"

namespace fl::guest {
namespace {

struct LimitName {
  const char* name;
  const char* unit;  // null: none
};
constexpr std::array<LimitName, Rlimit::kCount> kLimitNames = {{
    {"Max cpu time", "seconds"},
    {"Max file size", "bytes"},
    {"Max data size", "bytes"},
    {"Max stack size", "bytes"},
    {"Max core file size", "bytes"},
    {"Max resident set", "bytes"},
    {"Max processes", "processes"},
    {"Max open files", "files"},
    {"Max locked memory", "bytes"},
    {"Max address space", "bytes"},
    {"Max file locks", "locks"},
    {"Max pending signals", "signals"},
    {"Max msgqueue size", "bytes"},
    {"Max nice priority", nullptr},
    {"Max realtime priority", nullptr},
    {"Max realtime timeout", "us"},
}};

// A 32-bit kernel keeps limits in 32 bits, the highest number being none.
std::string limit_text(uint64_t value, uint32_t pointer_bytes) {
  const bool unlimited = value == Rlimit::kInfinity || (pointer_bytes == 4 && value >= 0xffffffffu);
  return unlimited ? "unlimited" : std::to_string(value);
}

constexpr int32_t kOomScoreAdjMost = 1000;

// A small number with or without a sign. Linux: kstrtoint with base 0.
Result<int32_t> parse_int(std::string_view text) {
  const bool negative = text.starts_with('-');
  text.remove_prefix(negative || text.starts_with('+') ? 1 : 0);
  FL_TRY_ASSIGN(const uint64_t value, take_number(text));
  if (!text.empty() || value > std::numeric_limits<int32_t>::max()) {
    return fail(Errno::kEINVAL);
  }
  return negative ? -static_cast<int32_t>(value) : static_cast<int32_t>(value);
}

}  // namespace

std::string format_limits(const TaskView& view) {
  std::string text = fmt::format("{:<25} {:<20} {:<20} {:<10}\n", "Limit", "Soft Limit", "Hard Limit", "Units");
  const uint32_t pointer_bytes = view.kernel.profile().kernel_pointer_bytes;
  for (uint32_t i = 0; i < Rlimit::kCount; ++i) {
    const Rlimit& limit = view.task.group->limits[i];
    fmt::format_to(std::back_inserter(text), "{:<25} {:<20} {:<20} ", kLimitNames[i].name,
                   limit_text(limit.current, pointer_bytes), limit_text(limit.maximum, pointer_bytes));
    text += kLimitNames[i].unit != nullptr ? fmt::format("{:<10}\n", kLimitNames[i].unit) : "\n";
  }
  return text;
}

// From 0, spared, over 666, a small process that nobody has weighted, to 1333.
std::string format_oom_score(const TaskView& view) {
  constexpr int64_t kScale = 1000;
  const int64_t total = oom_total_pages(view.kernel.memory());
  const auto badness = oom_badness(view.task, total);
  return fmt::format("{}\n", badness ? (kScale + *badness * kScale / total) * 2 / 3 : 0);
}

Status store_oom_score_adj(const TaskView& view, std::string_view text) {
  // A number of at most twelve characters, with white space around it.
  constexpr size_t kMostDigits = 12;
  constexpr std::string_view kSpace = " \t\n\v\f\r";
  text = text.substr(0, kMostDigits);
  text = text.substr(0, text.find('\0'));
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) {
    return fail(Errno::kEINVAL);
  }
  text = text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
  FL_TRY_ASSIGN(const int32_t value, parse_int(text));
  if (std::abs(value) > kOomScoreAdjMost) {
    return fail(Errno::kEINVAL);
  }
  const Task* const asks = view.kernel.current();
  const bool privileged = asks == nullptr || asks->cred.euid == 0;
  ThreadGroup& group = *view.task.group;
  if (value < group.oom_score_adj_min && !privileged) {
    return fail(Errno::kEACCES);
  }
  group.oom_score_adj = value;
  group.oom_score_adj_min = privileged ? value : group.oom_score_adj_min;
  return {};
}

std::string format_children(const TaskView& view) {
  // The children of a thread are those of its process here: they are shown with its first thread.
  std::string text;
  if (view.task.is_leader()) {
    for (const ThreadGroup& child : view.task.group->children) {
      fmt::format_to(std::back_inserter(text), "{} ", child.tgid);
    }
  }
  return text;
}

bool may_look_into(const Caller& asks, const Task& task) {
  if (asks.cred == nullptr || asks.pid == task.tgid || asks.cred->euid == 0) {
    return true;
  }
  const Credentials& cred = task.cred;
  const auto all_are = [](uint32_t id, uint32_t first, uint32_t second, uint32_t third) {
    return id == first && id == second && id == third;
  };
  return all_are(asks.cred->fsuid, cred.euid, cred.suid, cred.uid) &&
         all_are(asks.cred->fsgid, cred.egid, cred.sgid, cred.gid) && task.group->dumpable == 1;
}

bool current_may_look_into(Kernel& kernel, const Task& task) {
  const Task* const asks = kernel.current();
  return asks == nullptr || may_look_into(caller_of(*asks), task);
}

}  // namespace fl::guest

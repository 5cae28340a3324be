// The child that runs, and the search for a shorter script.
#include "tests/unit/vm/model_script.hpp"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <random>

namespace fl::vm::test {
namespace {

constexpr size_t kTextBytes = 1u << 16;
constexpr size_t kMostNumbers = 16u << 20;
constexpr unsigned kMostSeconds = 600;

// Shared with the child, which may die at any moment.
struct Record {
  char failure[kTextBytes];
  char names[kTextBytes];  // of the steps, if they are asked for
  uint32_t successes;
  uint32_t used;                   // of numbers
  uint32_t numbers[kMostNumbers];  // each step's count, then its numbers
};

class SharedRecord {
 public:
  SharedRecord()
      : record_(static_cast<Record*>(
            mmap(nullptr, sizeof(Record), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0))) {
    FL_CHECK(record_ != MAP_FAILED);
  }
  SharedRecord(const SharedRecord&) = delete;
  SharedRecord& operator=(const SharedRecord&) = delete;
  ~SharedRecord() { munmap(record_, sizeof(Record)); }
  Record* operator->() const { return record_; }
  Record& operator*() const { return *record_; }

 private:
  Record* record_;
};

// The numbers of a source as they are asked for, written down.
class Recorder {
 public:
  Recorder(Record& record, std::function<uint32_t()> next) : record_(record), next_(std::move(next)) {}
  void begin_step() {
    FL_CHECK(record_.used + 256 < kMostNumbers, "a run of too many steps");
    count_ = record_.used++;
    record_.numbers[count_] = 0;
  }
  uint32_t choose(uint32_t n) {
    const uint32_t number = next_() % n;
    record_.numbers[record_.used++] = number;
    ++record_.numbers[count_];
    return number;
  }

 private:
  Record& record_;
  std::function<uint32_t()> next_;
  uint32_t count_ = 0;
};

void append(char (&text)[kTextBytes], const std::string& more) {
  const size_t length = strnlen(text, kTextBytes);
  snprintf(text + length, kTextBytes - length, "%s", more.c_str());
}

// `begin(step)` is called before each step and says what to do; there are `steps` beside the first.
void drive(const ModelSetup& setup, uint32_t steps, Recorder& recorder, Record& record,
           const std::function<void(uint32_t)>& begin, bool names) {
  try {
    begin(0);
    recorder.begin_step();
    ModelDriver driver([&](uint32_t n) { return recorder.choose(n); }, setup.frames, *setup.profile, setup.swap_pages);
    driver.machine().memory().set_verify_level(setup.verify);
    driver.after_call = setup.after_call;
    for (uint32_t step = 1; step <= steps; ++step) {
      begin(step);
      recorder.begin_step();
      try {
        driver.step();
      } catch (const ModelFailure&) {
        append(record.names, names ? driver.last() + "\n" : "");
        throw;
      }
      append(record.names, names ? driver.last() + "\n" : "");
      record.successes = driver.successes();
    }
    driver.finish();
  } catch (const ModelFailure& failure) {
    append(record.failure, failure.what());
  }
}

// Runs `body` in a child and collects what it left.
ModelOutcome in_child(SharedRecord& record, const std::function<void()>& body) {
  record->failure[0] = record->names[0] = '\0';
  record->successes = record->used = 0;
  std::FILE* const errors = std::tmpfile();
  FL_CHECK(errors != nullptr);
  const pid_t child = fork();
  FL_CHECK(child >= 0);
  if (child == 0) {
    // The test framework must not report the child's death as its own.
    for (const int signal : {SIGABRT, SIGSEGV, SIGALRM}) {
      std::signal(signal, SIG_DFL);
    }
    dup2(fileno(errors), STDERR_FILENO);
    alarm(kMostSeconds);
    body();
    _exit(0);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  ModelOutcome outcome{.failure = record->failure, .script = {}, .successes = record->successes};
  if (WIFSIGNALED(status)) {
    std::string text(kTextBytes, '\0');
    std::rewind(errors);
    text.resize(std::fread(text.data(), 1, text.size(), errors));
    outcome.failure = WTERMSIG(status) == SIGALRM ? "it does not end" : "died: " + text.substr(0, text.find('\n'));
  }
  std::fclose(errors);
  for (uint32_t at = 0; at < record->used; at += 1 + record->numbers[at]) {
    const uint32_t* const first = record->numbers + at + 1;
    outcome.script.emplace_back(first, first + record->numbers[at]);
  }
  return outcome;
}

ModelOutcome run_script(SharedRecord& record, const ModelSetup& setup, const ModelScript& script, bool names) {
  return in_child(record, [&] {
    const ModelStep* now = nullptr;
    size_t at = 0;
    Recorder recorder(*record, [&] { return at < now->size() ? (*now)[at++] : 0; });
    drive(
        setup, static_cast<uint32_t>(script.size()) - 1, recorder, *record,
        [&](uint32_t step) {
          now = &script[step];
          at = 0;
        },
        names);
  });
}

std::string numbers_of(const ModelStep& step) {
  std::string text;
  for (const uint32_t number : step) {
    text += fmt::format("{}{}", text.empty() ? "" : " ", number);
  }
  return text;
}

std::string describe(SharedRecord& record, const ModelSetup& setup, const ModelScript& script) {
  const ModelOutcome outcome = run_script(record, setup, script, true);
  std::string text = fmt::format("{} steps do it: {}\n", script.size() - 1, outcome.failure);
  std::string names = record->names;
  for (size_t step = 0; step < script.size(); ++step) {
    std::string name = step == 0 ? fmt::format("a machine of {} frames", setup.frames) : "dies";
    if (step != 0 && !names.empty()) {
      name = names.substr(0, names.find('\n'));
      names.erase(0, name.size() + 1);
    }
    text += fmt::format("  {{{}}}  {}\n", numbers_of(script[step]), name);
  }
  return text;
}

}  // namespace

ModelOutcome run_random(const ModelSetup& setup, uint32_t seed, uint32_t steps) {
  SharedRecord record;
  return in_child(record, [&] {
    // Not a standard distribution: its numbers differ between libraries.
    std::mt19937 random(seed);
    Recorder recorder(*record, [&] { return static_cast<uint32_t>(random()); });
    drive(
        setup, steps, recorder, *record, [](uint32_t) {}, false);
  });
}

ModelOutcome run_script(const ModelSetup& setup, const ModelScript& script) {
  SharedRecord record;
  return run_script(record, setup, script, false);
}

ModelScript shrink(const ModelSetup& setup, ModelScript script, uint32_t most_runs) {
  SharedRecord record;
  uint32_t runs = 0;
  // Steps are left out in pieces, the large ones first. Whatever comes behind the failure is not needed either.
  const auto try_without = [&](size_t from, size_t count) {
    ModelScript shorter = script;
    shorter.erase(shorter.begin() + static_cast<ptrdiff_t>(from),
                  shorter.begin() + static_cast<ptrdiff_t>(from + count));
    ++runs;
    ModelOutcome outcome = run_script(record, setup, shorter, false);
    if (!outcome.failed()) {
      return false;
    }
    shorter.resize(std::min(shorter.size(), outcome.script.size()));
    script = std::move(shorter);
    return true;
  };
  for (size_t piece = script.size() / 2; piece > 0 && runs < most_runs;) {
    bool any = false;
    // From the end: the last steps before a failure have the most to do with it, so the first go soonest.
    for (size_t from = 1; from < script.size() && runs < most_runs;) {
      const size_t count = std::min(piece, script.size() - from);
      if (try_without(from, count)) {
        any = true;
      } else {
        from += count;
      }
    }
    piece = piece == 1 && any ? 1 : piece / 2;
  }
  return script;
}

std::string failure_of(const ModelSetup& setup, uint32_t seed, uint32_t steps, uint32_t* successes) {
  ModelOutcome outcome = run_random(setup, seed, steps);
  if (successes != nullptr) {
    *successes += outcome.successes;
  }
  if (!outcome.failed()) {
    return "";
  }
  std::string text = fmt::format("seed {} frames {} swap {} step {}: {}\n", seed, setup.frames, setup.swap_pages,
                                 outcome.script.size() - 1, outcome.failure);
  SharedRecord record;
  return text + describe(record, setup, shrink(setup, std::move(outcome.script)));
}

}  // namespace fl::vm::test

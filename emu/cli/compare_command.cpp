// Putting a comparison, or a suite of them, together.
#include "emu/cli/compare_command.hpp"

#include <unistd.h>

#include <cstdio>

#include "emu/base/logging.hpp"
#include "emu/base/output_file.hpp"
#include "emu/compare/suite_run.hpp"
#include "emu/record/record_program.hpp"

namespace fl::emu {
namespace {

constexpr int kEqual = 0, kDifferent = 1, kError = 2;

int status_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::kEqual:
      return kEqual;
    case Verdict::kUndecided:
      return kExitNoReference;
    case Verdict::kDifferent:
      break;
  }
  return kDifferent;
}

// Files that cannot be written are found out before anything runs.
HostResult<std::unique_ptr<OutputFile>> open_output(const std::string& path, std::string_view what) {
  return path.empty() ? HostResult<std::unique_ptr<OutputFile>>(nullptr) : OutputFile::create(path, what);
}

HostStatus print(const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    return host_error("cannot write to standard output");
  }
  return {};
}

HostStatus write_text(OutputFile* file, const std::string& text) {
  if (file == nullptr) {
    return {};
  }
  file->begin();
  file->append(text);
  return file->close();
}

HostResult<int> compare_one(const CompareOptions& options, std::span<const std::string> host_environment) {
  auto json = open_output(options.json_path, "comparison");
  if (!json) {
    return tl::unexpected<HostError>(json.error());
  }
  CompareRequest request = options.request;
  request.run.environment = options.environment.apply(host_environment);
  auto record = obtain_reference(request);
  if (!record) {
    return tl::unexpected<HostError>(record.error());
  }
  if (!request.against.empty()) {
    if (request.run.command.empty()) {
      request.run.command = record->command;
    }
    if (options.environment.set.empty() && !options.environment.clear) {
      request.run.environment = record->environment;
    }
  }
  const auto comparison = compare_with(std::move(*record), request);
  if (!comparison) {
    return tl::unexpected<HostError>(comparison.error());
  }
  FL_HOST_TRY(print(comparison_text(*comparison, options.detail)));
  if (*json != nullptr) {
    (*json)->begin();
    write_comparison_json(*comparison, **json);
    FL_HOST_TRY((*json)->close());
  }
  return status_of(comparison->verdict);
}

// A line for each entry on standard output; on a terminal also the one that is
// running, on standard error.
class Progress {
 public:
  explicit Progress(size_t entries) : entries_(entries), terminal_(isatty(STDERR_FILENO) != 0) {}

  void begin(size_t index, const SuiteEntry& entry) const {
    if (terminal_) {
      constexpr size_t kWidth = 30;
      const size_t done = kWidth * index / entries_;
      fmt::print(stderr, "\r[{:#<{}}{:-<{}}] {}/{} {}\x1b[K", "", done, "", kWidth - done, index + 1, entries_,
                 entry.label());
      std::fflush(stderr);
    }
  }
  void end(const SuiteResult& result) const {
    if (terminal_) {
      fmt::print(stderr, "\r\x1b[K");
    }
    const bool loud = result.outcome != SuiteResult::Outcome::kEqual;
    // The verdict stands in the first column already.
    const size_t colon =
        result.outcome <= SuiteResult::Outcome::kUndecided ? result.text.find(": ") : std::string::npos;
    fmt::print("{:<14} {:<32} {}\n", loud ? upper(outcome_name(result.outcome)) : outcome_name(result.outcome),
               result.entry.label(), colon == std::string::npos ? result.text : result.text.substr(colon + 2));
    std::fflush(stdout);
  }

 private:
  static std::string upper(std::string_view text) {
    std::string result(text);
    for (char& c : result) {
      c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    }
    return result;
  }
  size_t entries_;
  bool terminal_;
};

HostResult<int> compare_suite(const CompareOptions& options) {
  auto entries = read_suite(options.suite.path);
  if (!entries) {
    return tl::unexpected<HostError>(entries.error());
  }
  std::erase_if(*entries, [&options](const SuiteEntry& entry) {
    return entry.label().find(options.suite.filter) == std::string::npos;
  });
  if (entries->empty()) {
    return host_error("cannot compare a suite: {}: no entry has {} in its name", options.suite.path,
                      options.suite.filter);
  }
  auto json = open_output(options.json_path, "comparison");
  auto markdown = open_output(options.suite.markdown, "table");
  for (const auto* file : {&json, &markdown}) {
    if (!*file) {
      return tl::unexpected<HostError>(file->error());
    }
  }
  const Progress progress(entries->size());
  const SuiteRequest request{.entries = std::move(*entries),
                             .programs = options.suite.programs,
                             .against = options.suite.against_dir,
                             .record_to = options.suite.record_dir,
                             .scratch = options.suite.scratch,
                             .profile = options.request.profile,
                             .runs = options.request.runs,
                             .ram_bytes = options.request.run.machine.ram_bytes,
                             .timeout_seconds = options.request.timeout_seconds};
  const auto results =
      run_suite(request, {.begin = [&](size_t index, const SuiteEntry& entry) { progress.begin(index, entry); },
                          .end = [&](const SuiteResult& result) { progress.end(result); }});
  if (!results) {
    return tl::unexpected<HostError>(results.error());
  }
  const std::string source = request.against.empty() ? "recorded live" : "stored records";
  FL_HOST_TRY(print(suite_summary(*results) + "\n"));
  FL_HOST_TRY(write_text(json->get(), suite_json(*results, source)));
  FL_HOST_TRY(write_text(markdown->get(), suite_markdown(*results, source)));
  return suite_status(*results);
}

}  // namespace

HostResult<int> compare_command(const CompareOptions& options, std::span<const std::string> host_environment) {
  auto status = set_up_logging("");
  auto result = !status                      ? HostResult<int>(tl::unexpected<HostError>(status.error()))
                : options.suite.path.empty() ? compare_one(options, host_environment)
                                             : compare_suite(options);
  if (!result && (result.error().status == kExitHostError || result.error().status == kExitTimeout)) {
    result.error().status = kError;
  }
  return result;
}

}  // namespace fl::emu

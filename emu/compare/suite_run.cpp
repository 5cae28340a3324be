// One entry after the other: copy, reference, run, compare.
#include "emu/compare/suite_run.hpp"

#include <sys/utsname.h>

#include <array>
#include <filesystem>
#include <span>

#include "emu/compare/compare_program.hpp"
#include "emu/compare/report.hpp"
#include "emu/compare/suite_files.hpp"
#include "emu/record/record_file.hpp"

namespace fl::emu {
namespace fs = std::filesystem;
namespace {

using Outcome = SuiteResult::Outcome;

// What stands for a path in an argument.
struct Placeholder {
  std::string_view name;
  std::string path;
};

std::string replace_placeholders(std::string text, std::span<const Placeholder> placeholders) {
  for (const Placeholder& one : placeholders) {
    for (size_t at = text.find(one.name); at != std::string::npos; at = text.find(one.name, at + one.path.size())) {
      text.replace(at, one.name.size(), one.path);
    }
  }
  return text;
}

// "6.18" of "6.18.44-amd64".
std::string_view series(std::string_view release) {
  const size_t dot = release.find('.');
  return release.substr(0, release.find_first_not_of("0123456789", dot == std::string_view::npos ? dot : dot + 1));
}

// The release of the host's kernel, if the profile that would be compared with it imitates another series.
std::string unlike_any_profile() {
  utsname name{};
  uname(&name);
  NativeRecord host;
  host.kernel.machine = name.machine;
  return series(name.release) == series(fitting_profile(host).release) ? "" : name.release;
}

class SuiteRunner {
 public:
  SuiteRunner(const SuiteRequest& request, SuiteFiles& files) : request_(request), files_(files) {}

  HostResult<SuiteResult> run(const SuiteEntry& entry) {
    SuiteResult result;
    result.entry = entry;
    auto comparison = compare(entry);
    if (!comparison) {
      if (comparison.error().status == kExitNoReference && request_.against.empty()) {
        return tl::unexpected<HostError>(comparison.error());
      }
      result.outcome = skipped_ ? Outcome::kSkipped : Outcome::kFailed;
      result.text = comparison.error().message;
      return result;
    }
    static constexpr std::array kOutcomes{Outcome::kEqual, Outcome::kDifferent, Outcome::kUndecided};
    result.outcome = kOutcomes[static_cast<size_t>(comparison->verdict)];
    result.text = comparison->summary + (comparison->same_output ? "" : "; another output");
    result.faults = {comparison->minor.real + comparison->major.real, comparison->minor.ours + comparison->major.ours};
    result.profile = comparison->context.profile->name;
    result.release = comparison->record.kernel.release;
    result.machine = comparison->record.kernel.machine;
    result.cpu = comparison->record.cpu.brand;
    result.date = comparison->record.date;
    result.json = comparison_json_head(*comparison);
    return result;
  }

 private:
  template <typename... Args>
  tl::unexpected<HostError> skip(fmt::format_string<Args...> format, Args&&... args) {
    skipped_ = true;
    return host_error(format, std::forward<Args>(args)...);
  }

  HostResult<Comparison> compare(const SuiteEntry& entry) {
    skipped_ = false;
    const fs::path program = fs::path(request_.programs) / entry.flavour / entry.program;
    if (std::error_code error; !fs::is_regular_file(program, error)) {
      return skip("the program is not there: {}", program.string());
    }
    const fs::path record_path = record_file(request_.against, entry);
    if (std::error_code error; !request_.against.empty() && !fs::exists(record_path, error)) {
      return skip("there is no record: {}", record_path.string());
    }
    if (entry.stored_only && request_.against.empty()) {
      return skip("it is compared with stored records only");
    }
    if (entry.needs_ext4 && request_.against.empty() && !files_.is_ext4()) {
      return skip("it needs ext4 at {}", files_.path().string());
    }
    if (request_.against.empty() && request_.profile == nullptr && !unlike_any_profile_.empty()) {
      return skip("no profile imitates Linux {}: give --kernel to compare anyway", unlike_any_profile_);
    }
    const auto path = files_.add_program(program, entry.flavour, entry.program);
    if (!path) {
      return tl::unexpected<HostError>(path.error());
    }
    CompareRequest request;
    request.run.command = {*path};
    const std::array<Placeholder, 3> placeholders{{{"{data}", (files_.path() / "data").string()},
                                                   {"{inputs}", (files_.path() / "inputs").string()},
                                                   {"{scratch}", files_.path().string()}}};
    for (const std::string& arg : entry.args) {
      FL_HOST_TRY(add_named_program(arg, request.others));
      request.run.command.push_back(replace_placeholders(arg, placeholders));
    }
    request.run.environment = {"A=1"};
    request.run.directory = files_.path().string();
    if (request_.ram_bytes != 0) {
      request.run.machine.ram_bytes = request_.ram_bytes;
    }
    if (entry.writes_data) {
      request.run.machine.writable = {files_.path().string()};
    }
    request.profile = request_.profile;
    request.runs = request_.runs;
    request.level = entry.level;
    request.timeout_seconds = request_.timeout_seconds;
    request.against = request_.against.empty() ? "" : record_path.string();
    // A program may change it.
    request.before_run = [this]() -> HostStatus {
      const auto written = files_.write_data();
      return written ? HostStatus() : tl::unexpected<HostError>(written.error());
    };
    return compare_with_reference(entry, request);
  }

  // {scratch}/FLAVOUR/NAME: a program that the entry's program will start.
  HostStatus add_named_program(const std::string& arg, std::vector<std::string>& others) {
    constexpr std::string_view kScratch = "{scratch}/";
    if (!arg.starts_with(kScratch)) {
      return {};
    }
    const fs::path name = arg.substr(kScratch.size()), program = fs::path(request_.programs) / name;
    if (std::error_code error; !fs::is_regular_file(program, error)) {
      return {};
    }
    const auto path = files_.add_program(program, name.parent_path(), name.filename());
    if (!path) {
      return tl::unexpected<HostError>(path.error());
    }
    others.push_back(*path);
    return {};
  }

  HostResult<Comparison> compare_with_reference(const SuiteEntry& entry, const CompareRequest& request) {
    auto record = obtain_reference(request);
    if (!record) {
      return tl::unexpected<HostError>(record.error());
    }
    const std::string& path = request.run.command[0];
    const auto same = is_recorded_program(*record, path);
    if (!same) {
      return tl::unexpected<HostError>(same.error());
    }
    if (!*same) {
      return skip("the program, or one that it starts, is not the one that was recorded ({} bytes, {})",
                  record->program_bytes, record->date);
    }
    if (record->command != request.run.command || record->environment != request.run.environment) {
      return skip("the record was made with other arguments or another environment: {}",
                  fmt::join(record->command, " "));
    }
    const vm::KernelProfile& profile = request.profile != nullptr ? *request.profile : fitting_profile(*record);
    if (!entry.only.empty() && entry.only != profile.name) {
      return skip("it is compared with profile {} only", entry.only);
    }
    if (!request_.record_to.empty()) {
      const fs::path file = record_file(request_.record_to, entry);
      std::error_code error;
      fs::create_directories(file.parent_path(), error);
      FL_HOST_TRY(write_record(file.string(), *record));
    }
    return compare_with(std::move(*record), request);
  }

  static fs::path record_file(const std::string& folder, const SuiteEntry& entry) {
    return fs::path(folder) / entry.flavour / (entry.name + ".json");
  }

  const SuiteRequest& request_;
  SuiteFiles& files_;
  const std::string unlike_any_profile_ = unlike_any_profile();
  bool skipped_ = false;
};

}  // namespace

HostResult<std::vector<SuiteResult>> run_suite(const SuiteRequest& request, const SuiteProgress& progress) {
  auto files = SuiteFiles::open(request.scratch);
  if (!files) {
    return tl::unexpected<HostError>(files.error());
  }
  FL_HOST_TRY((*files)->add_inputs(fs::path(request.programs) / "inputs"));
  SuiteRunner runner(request, **files);
  std::vector<SuiteResult> results;
  for (size_t i = 0; i < request.entries.size(); ++i) {
    if (progress.begin) {
      progress.begin(i, request.entries[i]);
    }
    auto result = runner.run(request.entries[i]);
    if (!result) {
      return tl::unexpected<HostError>(result.error());
    }
    if (progress.end) {
      progress.end(*result);
    }
    results.push_back(std::move(*result));
  }
  return results;
}

}  // namespace fl::emu

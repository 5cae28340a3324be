// run_faultline: the command line, the statistics, the trace. See faultline_run.hpp.
#include "tests/program/support/faultline_run.hpp"

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/program/support/native_run.hpp"

namespace fl::test {
namespace fs = std::filesystem;
using nlohmann::json;
namespace {

// Addresses are written as "0x0804a000" or as numbers.
uint32_t number(const json& value) {
  return value.is_string() ? static_cast<uint32_t>(std::stoul(value.get<std::string>(), nullptr, 16))
                           : value.get<uint32_t>();
}

std::string text(const json& value) { return value.is_string() ? value.get<std::string>() : std::string(); }

TraceRecord parse_record(const json& line) {
  TraceRecord record;
  record.mode = line.at("mode");
  record.access = line.at("access");
  record.cause = line.at("cause");
  record.addr = number(line.at("addr"));
  record.page = number(line.at("page"));
  record.ip = number(line.at("ip"));
  record.major = line.at("major");
  record.counted = line.at("counted");
  if (const json& vma = line.at("vma"); vma.is_object()) {
    record.vma_name = text(vma.at("name"));
  }
  if (const json& around = line.at("around"); around.is_object()) {
    record.around = {number(around.at("from")), number(around.at("to")), around.at("mapped").get<int>()};
  }
  return record;
}

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void parse_trace(FaultlineResult& result) {
  std::istringstream in(result.trace_text);
  for (std::string text; std::getline(in, text);) {
    const json line = json::parse(text);
    if (line.contains("event")) {
      ++result.events[line.at("event")];
    } else {
      result.trace.push_back(parse_record(line));
    }
  }
}

void read_stats(const fs::path& path, FaultlineResult& result) {
  if (!fs::exists(path)) {
    return;
  }
  result.stats_text = read_file(path);
  if (result.stats_text.empty()) {
    return;  // nothing was run
  }
  const json stats = json::parse(result.stats_text);
  result.have_stats = true;
  result.minflt = stats.at("minflt");
  result.majflt = stats.at("majflt");
  result.by_mode = stats.at("by_mode").get<std::map<std::string, long>>();
  result.by_cause = stats.at("by_cause").get<std::map<std::string, long>>();
  for (const json& process : stats.at("processes")) {
    const json& status = process.at("exit_status");
    result.processes.push_back({process.at("pid"), process.at("minflt"), process.at("majflt"),
                                status.is_null() ? std::nullopt : std::optional<long>(status), process.at("comm")});
  }
}

}  // namespace

bool have_faultline() { return fs::exists(FL_FAULTLINE); }

FaultlineResult run_faultline(const RunSpec& spec, const FaultlineOptions& options) {
  const fs::path stats = scratch() / "stats.json", trace = scratch() / "trace.jsonl";
  fs::remove(stats);
  fs::remove(trace);
  RunSpec outer = spec;
  outer.program = FL_FAULTLINE;
  outer.env = {"PATH=/usr/bin:/bin"};
  outer.args = {"run", "--kernel", options.kernel, "--clear-env", "--stats=" + stats.string()};
  for (const std::string& variable : spec.env) {
    outer.args.insert(outer.args.end(), {"--env", variable});
  }
  if (options.trace) {
    outer.args.insert(outer.args.end(), {"--trace", trace.string()});
  }
  if (options.writable_scratch) {
    outer.args.insert(outer.args.end(), {"--rw", scratch().string()});
  }
  outer.args.insert(outer.args.end(), options.extra.begin(), options.extra.end());
  outer.args.insert(outer.args.end(), {"--", spec.program.string()});
  outer.args.insert(outer.args.end(), spec.args.begin(), spec.args.end());

  FaultlineResult result;
  result.run = run_process(outer);
  read_stats(stats, result);
  if (options.trace) {
    result.trace_text = read_file(trace);
    parse_trace(result);
  }
  return result;
}

}  // namespace fl::test

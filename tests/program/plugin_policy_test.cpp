// What plugins decide: fault-around, eviction, swap readahead, who is killed; and that answers out of bounds do no
// harm.
#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/program/support/faultline_run.hpp"
#include "tests/program/support/native_run.hpp"

namespace fl::test {
namespace {

FaultlineResult run_deciding(const char* program, const std::vector<std::string>& args, const std::string& decisions,
                             std::vector<std::string> options) {
  RunSpec spec{.program = guest_program("glibc", program), .args = args};
  if (spec.program.empty()) {
    SKIP(program << " was not built");
  }
  if (!decisions.empty()) {
    options.insert(options.end(), {"--plugin", FL_BINARY_DIR "/plugins/test_decide.so," + decisions});
  }
  options.insert(options.end(), {"--dump", "leaks"});
  FaultlineResult result = run_faultline(spec, {.trace = true, .kernel = "6.1-i386", .extra = std::move(options)});
  INFO(result.run.error);
  CHECK(result.run.error.find("leaks: none\n") != std::string::npos);
  return result;
}

const std::vector<std::string> kSwapping{"--ram", "64M", "--memory-limit", "4M", "--swap", "32M", "--verify", "1"};

}  // namespace

TEST_CASE("plugin policy: fault-around maps what the plugin says, inside the area and the page table", "[plugin]") {
  const auto plain = run_deciding("hello", {}, "", {"--verify", "2"});
  const auto one = run_deciding("hello", {}, "around=page", {"--verify", "2"});
  const auto all = run_deciding("hello", {}, "around=wild", {"--verify", "2"});
  CHECK(one.run.output == plain.run.output);
  CHECK(all.run.output == plain.run.output);
  CHECK(one.minflt > plain.minflt + 5);
  CHECK(all.minflt < plain.minflt);
  int most = 0;
  for (const TraceRecord& record : one.trace) {
    CHECK((!record.around || record.around->mapped == 1));
    CHECK((!record.around || (record.around->from == record.page && record.around->to == record.page)));
  }
  for (const TraceRecord& record : all.trace) {
    if (record.around) {
      most = std::max(most, record.around->mapped);
      CHECK(record.around->from <= record.page);
      CHECK(record.around->to >= record.page);
      CHECK(record.around->from >> 22 == record.around->to >> 22);
    }
  }
  CHECK(most > 16);
}

TEST_CASE("plugin policy: how many pages come from swap together", "[plugin]") {
  const std::vector<std::string> sequential{"sequential", "1600", "4"};
  const auto plain = run_deciding("access_patterns", sequential, "", kSwapping);
  const auto one = run_deciding("access_patterns", sequential, "readahead=1", kSwapping);
  const auto none = run_deciding("access_patterns", sequential, "readahead=0", kSwapping);
  const auto wild = run_deciding("access_patterns", sequential, "readahead=4000000000", kSwapping);
  for (const auto* result : {&one, &none, &wild}) {
    CHECK(result->run.output == plain.run.output);
  }
  const auto swapped_in = [](const FaultlineResult& result) {
    return nlohmann::json::parse(result.stats_text)["swap_ins"].get<long>();
  };
  // Each page is waited for.
  CHECK(one.majflt == swapped_in(one));
  CHECK(none.trace_text == one.trace_text);
  CHECK(plain.majflt * 2 < swapped_in(plain));
  CHECK(wild.majflt < plain.majflt);
}

TEST_CASE("plugin policy: eviction cannot be made to fail", "[plugin]") {
  const std::vector<std::string> zipf{"zipf", "1600", "4"};
  const auto plain = run_deciding("access_patterns", zipf, "", kSwapping);
  for (const char* how : {"evict=keep", "evict=evict"}) {
    INFO(how);
    const auto result = run_deciding("access_patterns", zipf, how, kSwapping);
    CHECK(result.run.exit_status == 0);
    CHECK(result.run.output == plain.run.output);
    CHECK(result.trace_text != plain.trace_text);
  }
  CHECK(run_deciding("access_patterns", zipf, "evict=wild", kSwapping).trace_text == plain.trace_text);
}

TEST_CASE("plugin policy: who is killed", "[plugin]") {
  const std::vector<std::string> options{"--ram", "32M", "--verify", "1"};
  const auto plain = run_deciding("out_of_memory", {"adjust"}, "", options);
  const auto least = run_deciding("out_of_memory", {"adjust"}, "oom=least", options);
  const auto wild = run_deciding("out_of_memory", {"adjust"}, "oom=wild", options);
  CHECK(plain.events.at("oom_kill") > 0);
  CHECK(wild.trace_text == plain.trace_text);
  CHECK(wild.run.output == plain.run.output);
  const auto victim = [](const FaultlineResult& result) {
    const size_t at = result.trace_text.find("\"victim\":");
    REQUIRE(at != std::string::npos);
    return std::stol(result.trace_text.substr(at + 9));
  };
  CHECK(victim(least) != victim(plain));
}

}  // namespace fl::test

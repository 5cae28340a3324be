// The suite's table, what is refused in it, and the reports of its results; and how a run crosses between processes.
#include "emu/compare/suite.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <nlohmann/json.hpp>

#include "emu/compare/suite_run.hpp"
#include "emu/compare/wire.hpp"

namespace fl::emu {
namespace {

using Catch::Matchers::ContainsSubstring;

std::string error_of(std::string_view text) {
  const auto entries = parse_suite(text, "s.tsv");
  return entries ? "none" : entries.error().message;
}

SuiteResult result(SuiteResult::Outcome outcome, std::string name) {
  SuiteResult one;
  one.entry.flavour = "glibc";
  one.entry.program = one.entry.name = std::move(name);
  one.outcome = outcome;
  one.text = "text|with a bar";
  one.faults = {25, 26};
  one.release = "6.18.44";
  one.machine = "x86_64";
  one.profile = "6.18-compat";
  one.cpu = "CPU";
  one.date = "2026-01-02T03:04:05Z";
  return one;
}

}  // namespace

TEST_CASE("suite: a line becomes an entry for each flavour") {
  const auto entries = parse_suite(
      "# comment\n"
      "\n"
      "hello\tglibc,musl\thello\t-\torder\t-\n"
      "map\tglibc\tfilepriv\t-x {data}\tpages\text4,writes-data,only-6.1\n",
      "s.tsv");
  REQUIRE(entries.has_value());
  REQUIRE(entries->size() == 3);
  CHECK((*entries)[0].label() == "glibc/hello");
  CHECK((*entries)[1].label() == "musl/hello");
  CHECK((*entries)[1].args.empty());
  CHECK((*entries)[1].level == Level::kOrder);
  const SuiteEntry& map = (*entries)[2];
  CHECK(map.program == "filepriv");
  CHECK(map.args == std::vector<std::string>{"-x", "{data}"});
  CHECK(map.level == Level::kPages);
  CHECK(map.needs_ext4);
  CHECK(map.writes_data);
  CHECK(map.only == "6.1-i386");
}

TEST_CASE("suite: a line that cannot be used is named with its place and what is wrong") {
  CHECK(error_of("a\tb\tc\t-\torder\n") == "cannot read the suite: s.tsv:1: 5 columns instead of 6");
  CHECK_THAT(error_of("# x\n../a\tb\tc\t-\torder\t-\n"), ContainsSubstring("s.tsv:2: name ../a"));
  CHECK_THAT(error_of("a\t..\tc\t-\torder\t-\n"), ContainsSubstring("../a is no folder's name"));
  CHECK_THAT(error_of("a\tb\tc/d\t-\torder\t-\n"), ContainsSubstring("program c/d"));
  CHECK_THAT(error_of("a\tb\tc\t-\texact\t-\n"), ContainsSubstring("level exact"));
  CHECK_THAT(error_of("a\tb\tc\t-\torder\tfast\n"), ContainsSubstring("flag fast"));
  CHECK_THAT(error_of("a\tb\tc\t-\torder\tonly-2.4\n"), ContainsSubstring("flag only-2.4"));
  CHECK_THAT(error_of("a\tb,b\tc\t-\torder\t-\n"), ContainsSubstring("stands there twice"));
}

TEST_CASE("suite: one difference or failure decides its status, and nothing compared is no success") {
  using enum SuiteResult::Outcome;
  CHECK(suite_status({result(kEqual, "a"), result(kSkipped, "b")}) == 0);
  CHECK(suite_status({result(kEqual, "a"), result(kDifferent, "b")}) == 1);
  CHECK(suite_status({result(kEqual, "a"), result(kFailed, "b")}) == 1);
  CHECK(suite_status({result(kSkipped, "a")}) == 3);
  CHECK(suite_status({result(kUndecided, "a")}) == 3);
}

TEST_CASE("suite: summary, table and JSON say what became of each entry") {
  using enum SuiteResult::Outcome;
  const std::vector<SuiteResult> results{result(kEqual, "a"), result(kDifferent, "b"), result(kSkipped, "c")};
  CHECK(suite_summary(results) == "1 equal, 1 different, 1 skipped; real Linux: 6.18.44 x86_64 (6.18-compat)");
  const std::string table = suite_markdown(results, "recorded live");
  CHECK_THAT(table, ContainsSubstring("## 6.18.44 x86_64, profile 6.18-compat\n"));
  CHECK_THAT(table, ContainsSubstring("1 of 2 are equal."));
  CHECK_THAT(table, ContainsSubstring("| glibc/a |  | order | 25 | 26 | equal | 2026-01-02 |\n"));
  CHECK_THAT(table, ContainsSubstring("**different**: text\\|with a bar"));
  CHECK_THAT(table, ContainsSubstring("## Not compared (recorded live)\n\n| program | why |\n|---|---|\n| glibc/c |"));
  const auto json = nlohmann::json::parse(suite_json(results, "recorded live"));
  CHECK(json["summary"]["equal"] == 1);
  CHECK(json["entries"].size() == 3);
  CHECK(json["entries"][1]["result"] == "different");
}

TEST_CASE("wire: a run comes through as it was, and damaged bytes do not") {
  OurRun run;
  run.faults.resize(3);
  run.faults[1].addr = 0x1234;
  run.areas.resize(1);
  run.names = {"", "[heap]"};
  run.processes.resize(1);
  run.processes[0].minflt = 7;
  run.minflt = 7;
  run.exit_status = 3;
  run.unimplemented = "ptrace";
  const std::vector<std::byte> bytes = pack(run);
  const auto back = unpack(bytes);
  REQUIRE(back.has_value());
  CHECK(back->faults[1].addr == 0x1234);
  CHECK(back->names == run.names);
  CHECK(back->processes[0].minflt == 7);
  CHECK(back->exit_status == 3);
  CHECK(back->unimplemented == "ptrace");
  for (const size_t size : {size_t{0}, size_t{4}, size_t{100}, bytes.size() - 1}) {
    CHECK_FALSE(unpack(std::span(bytes).first(size)).has_value());
  }
  std::vector<std::byte> longer = bytes;
  longer.push_back({});
  CHECK_FALSE(unpack(longer).has_value());
}

}  // namespace fl::emu

// Plugins: one that is built outside the tree against what is installed; refusals; the numbers of the examples beside
// those of --trace and --stats; that no plugin changes a run unless it has a policy.
#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/program/support/faultline_run.hpp"
#include "tests/program/support/native_run.hpp"
#include "tests/program/support/swap_files.hpp"

namespace fl::test {
namespace fs = std::filesystem;
namespace {

fs::path folder() {
  const fs::path path = scratch() / "plugins";
  fs::create_directories(path);
  return path;
}

// What `cmake --install` puts below a prefix of its own.
fs::path installed() {
  static const fs::path prefix = [] {
    const fs::path path = folder() / "prefix";
    fs::remove_all(path);
    const RunResult run =
        run_process({.program = FL_CMAKE,
                     .args = {"--install", FL_BINARY_DIR, "--prefix", path.string(), "--component", "plugin"}});
    INFO(run.output << run.error);
    REQUIRE(run.exit_status == 0);
    return path;
  }();
  return prefix;
}

fs::path write_file(const std::string& name, const std::string& text) {
  const fs::path path = folder() / name;
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A shared object from one C source, with nothing but the installed header.
std::string build(const std::string& name, const std::string& source) {
  const fs::path file = write_file(name + ".c", source);
  const fs::path object = folder() / (name + ".so");
  const RunResult run =
      run_process({.program = FL_CC,
                   .args = {"-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-shared", "-fPIC", "-I",
                            (installed() / "include").string(), "-o", object.string(), file.string()},
                   .env = {"PATH=/usr/bin:/bin"}});
  INFO(run.error);
  REQUIRE(run.exit_status == 0);
  return object.string();
}

std::string example(const char* name) { return std::string(FL_BINARY_DIR "/plugins/") + name + ".so"; }

RunSpec guest(const char* name, std::vector<std::string> args = {}, const char* flavour = "glibc") {
  RunSpec spec{.program = guest_program(flavour, name), .args = std::move(args)};
  if (spec.program.empty()) {
    SKIP(name << " was not built");
  }
  return spec;
}

FaultlineResult run_with(const RunSpec& spec, const std::vector<std::string>& plugins,
                         std::vector<std::string> options = {}, const std::string& kernel = "6.1-i386") {
  for (const std::string& plugin : plugins) {
    options.insert(options.end(), {"--plugin", plugin});
  }
  return run_faultline(spec, {.trace = true, .kernel = kernel, .extra = std::move(options)});
}

// "NAME COUNT" lines.
std::map<std::string, long> counts_in(const std::string& text) {
  std::map<std::string, long> counts;
  std::istringstream lines(text);
  std::string name;
  for (long count = 0; lines >> name >> count;) {
    counts[name] = count;
  }
  return counts;
}

// The number in front of `word`.
long number_before(const std::string& text, const std::string& word) {
  const size_t at = text.find(" " + word);
  REQUIRE(at != std::string::npos);
  return std::stol(text.substr(text.find_last_of(" \n", at - 1) + 1));
}

}  // namespace

TEST_CASE("plugin: one that is built outside the tree against an installed header runs", "[plugin]") {
  const std::string plugin = build("first", R"(#include <faultline/plugin.h>
#include <stdio.h>
static const struct faultline_api *api;
static struct faultline_plugin *self;
static unsigned faults;
static void on_fault(void *user, const struct faultline_event *event) {
  (void)user;
  if (event->u.fault.result <= FAULTLINE_MAJOR) ++faults;
}
static void on_end(void *user, const struct faultline_event *event) {
  struct faultline_counters counters = {0};
  (void)event;
  counters.size = sizeof counters;
  if (api->counters(self, &counters) == 0)
    fprintf(stderr, "%s: %u faults, %u counted\n", (const char *)user, faults,
            (unsigned)(counters.minor_faults + counters.major_faults));
}
FAULTLINE_PLUGIN
int faultline_plugin_load(const struct faultline_api *given, struct faultline_plugin *plugin) {
  api = given;
  self = plugin;
  if (api->subscribe(self, FAULTLINE_FAULT_END, on_fault, NULL) != 0) return 1;
  return api->subscribe(self, FAULTLINE_END, on_end, (void *)api->option(self, "name"));
}
)");
  const FaultlineResult result = run_with(guest("hello"), {plugin + ",name=one", plugin + ",name=two"});
  INFO(result.run.error);
  CHECK(result.run.exit_status == 0);
  const std::string faults = std::to_string(result.minflt + result.majflt);
  // Loaded twice it is one object, whose variable both count in.
  CHECK(result.run.error.find("two: " + std::to_string(2 * (result.minflt + result.majflt)) + " faults, " + faults +
                              " counted\n") != std::string::npos);
}

TEST_CASE("plugin: what cannot be loaded is one line of error and status 125", "[plugin]") {
  const std::string load = "int faultline_plugin_load(const struct faultline_api *a, struct faultline_plugin *s) ";
  const std::string head = "#include <faultline/plugin.h>\n#include <stdlib.h>\n#include <stdint.h>\n";
  const auto built = [&](const char* name, const std::string& body) {
    return build(name, head + "FAULTLINE_PLUGIN\n" + load + body);
  };
  const auto refused = [](const std::string& option, const std::string& why) {
    const FaultlineResult result = run_with(guest("hello"), {option});
    INFO(result.run.error);
    CHECK(result.run.exit_status == 125);
    CHECK(result.run.output.empty());
    CHECK(result.run.error.starts_with("faultline: cannot load the plugin: "));
    CHECK(result.run.error.find(why) != std::string::npos);
    CHECK(result.run.error.find('\n') == result.run.error.size() - 1);
  };
  refused((folder() / "none.so").string(), "cannot open shared object file");
  refused(write_file("text.so", "this is a text\n").string(), "file too short");
  refused(write_file("long.so", std::string(10000, 'x')).string(), "invalid ELF header");
  refused(build("no_version", head + load + "{ return a == (void *)s; }\n"), "faultline_plugin_api_version");
  refused(build("no_load", head + "FAULTLINE_PLUGIN\n"), "it does not define faultline_plugin_load");
  const std::string answer = load + "{ return a == (void *)s; }\n";
  const std::string symbol = "FAULTLINE_EXPORT const uint32_t faultline_plugin_api_version = ";
  refused(build("older", head + symbol + "FAULTLINE_API_VERSION - 0x10000;\n" + answer), "it is for version 0.0");
  refused(build("newer", head + symbol + "FAULTLINE_API_VERSION + 1;\n" + answer), "it is for version 1.1");
  refused(built("undefined", "{ extern int nowhere(void); return nowhere() + (a == (void *)s); }\n"),
          "undefined symbol: nowhere");
  refused(built("segv", "{ *(volatile int *)(uintptr_t)(a->size == 1) = 1; return s == NULL; }\n"), "(SIGSEGV)");
  refused(built("abort", "{ if (a != NULL && s != NULL) abort(); return 0; }\n"), "(SIGABRT)");
  refused(built("deep",
                "{ volatile char b[65536]; b[0] = 1; return s == NULL ? 0 : faultline_plugin_load(a, s) + b[0]; }\n"),
          "(SIGSEGV)");
  refused(build("constructor", head +
                                   "FAULTLINE_PLUGIN\n__attribute__((constructor)) static void first(void) "
                                   "{ abort(); }\n" +
                                   answer),
          "(SIGABRT)");
  refused(built("no", "{ a->refuse(s, \"not\\ntoday\"); return 0; }\n"), ": not today\n");
  refused(built("seven", "{ return 7 + (a == (void *)s); }\n"), "it refused with status 7");
  const std::string number = built("number", "{ uint64_t n = 0; a->option_number(s, \"n\", 1, 9, &n); return 0; }\n");
  refused(number + ",m=1", "it has no option 'm'");
  refused(number + ",n", "its option 'n' is not NAME=VALUE");
  refused(number + ",=1", "its option '=1' is not NAME=VALUE");
  refused(number + ",n=1,n=2", "its option 'n' is given twice");
  for (const char* value : {"0", "10", "x", "", "1x", "-1", "99999999999999999999"}) {
    refused(number + ",n=" + value, std::string("its option 'n' cannot be '") + value + "': give 1 to 9");
  }
  CHECK(run_with(guest("hello"), {number + ",n=0x9"}).run.exit_status == 0);
}

TEST_CASE("plugin: events are as many as --stats and --trace count", "[plugin]") {
  const fs::path out = folder() / "counts";
  const std::string plugin = example("test_count_events") + ",out=" + out.string();
  SECTION("forks, signals, memory calls") {
    const FaultlineResult result = run_with(guest("process_wait"), {plugin});
    const auto counts = counts_in(read_file(out));
    const auto stats = nlohmann::json::parse(result.stats_text);
    INFO(read_file(out));
    CHECK(counts.at("fault_end") == static_cast<long>(result.trace.size()));
    CHECK(counts.at("fault_begin") == counts.at("fault_end"));
    CHECK(counts.at("syscall_enter") == stats["syscalls"]);
    CHECK(counts.at("syscall_exit") <= counts.at("syscall_enter"));
    CHECK(counts.at("exit") == static_cast<long>(result.processes.size()));
    CHECK(counts.at("fork") + 1 == static_cast<long>(result.processes.size()));
    CHECK(counts.at("vma_made") == counts.at("vma_removed"));
    CHECK(counts.at("page_mapped") == counts.at("page_unmapped"));
    CHECK(counts.at("start") == 1);
    CHECK(counts.at("end") == 1);
    CHECK(counts.at("exec") >= 1);
  }
  SECTION("swap and reclaim") {
    const FaultlineResult result = run_with(guest("larger_than_memory", {"sort", "12"}), {plugin},
                                            {"--ram", "128M", "--memory-limit", "8M", "--swap", "32M"});
    CHECK(result.run.output == "sorted 196608 records, 0 wrong, none lost\n");
    const auto counts = counts_in(read_file(out));
    const auto stats = nlohmann::json::parse(result.stats_text);
    INFO(read_file(out));
    CHECK(counts.at("swap_in") == stats["swap_ins"]);
    CHECK(counts.at("swap_out") == stats["swap_outs"]);
    CHECK(counts.at("swap_out") == result.events.at("swap_out"));
    CHECK(counts.at("reclaim") == result.events.at("reclaim"));
    CHECK(counts.at("page_mapped") == counts.at("page_unmapped"));
  }
  SECTION("blocks, with data faults and with code that changes") {
    for (const char* name : {"hello", "self_modifying", "code_order", "rmw"}) {
      const std::string blocks = example("test_count_events") + ",events=block+access,out=" + out.string();
      const FaultlineResult result = run_with(guest(name), {blocks});
      const auto stats = nlohmann::json::parse(result.stats_text);
      INFO(name);
      // A block whose first instruction is not all there is counted when it is tried, and not told of.
      const long untold = stats["blocks"].get<long>() - counts_in(read_file(out)).at("block");
      CHECK(untold >= 0);
      CHECK(untold <= (name == std::string("code_order") ? 8 : 0));
      CHECK(result.trace_text == run_with(guest(name), {}).trace_text);
    }
  }
}

TEST_CASE("plugin: one that asks everything at every event sees a machine that fits together and leaves it so",
          "[plugin]") {
  const fs::path out = folder() / "answers";
  struct Case {
    const char* program;
    std::vector<std::string> args, options;
    bool slow = false;
    const char* kernel = "6.1-i386";
  };
  const std::vector<std::string> swapping{"--ram", "64M", "--memory-limit", "2M", "--swap", "32M", "--verify", "1"};
  const std::vector<Case> cases{
      {"access_patterns", {"fork", "700", "2"}, swapping},
      {"access_patterns",
       {"fork", "300", "1"},
       {"--ram", "32M", "--memory-limit", "1M", "--swap", "16M", "--verify", "2"}},
      {"fork_areas", {}, {"--verify", "2"}},
      {"stress_memory", {"3", "20"}, {"--ram", "16M", "--swap", "32M", "--verify", "1"}},
      {"out_of_memory", {"hog", "1"}, {"--ram", "16M", "--verify", "1"}},
      {"mremap", {}, {"--verify", "2"}},
      {"signals_restart", {}, {"--verify", "1"}},
      {"self_modifying", {}, {"--verify", "1"}, true},
      {"hello", {}, {"--verify", "2"}, true},
      {"code_alias", {}, {}, true, "6.18-compat"},
      {"process_vfork", {}, {"--verify", "1"}, false, "6.18-compat"},
  };
  for (const Case& test : cases) {
    DYNAMIC_SECTION(test.program << (test.args.size() > 1 ? " " + test.args[1] : "")) {
      RunSpec spec = guest(test.program, test.args);
      spec.timeout = std::chrono::seconds(100);
      const FaultlineResult plain = run_with(spec, {}, test.options, test.kernel);
      const std::string plugin = example("test_ask_everything") + ",out=" + out.string() + (test.slow ? ",slow=1" : "");
      const FaultlineResult asked = run_with(spec, {plugin}, test.options, test.kernel);
      const std::string answers = read_file(out);
      INFO(answers << asked.run.error);
      CHECK(asked.run.exit_status == plain.run.exit_status);
      CHECK(asked.run.output == plain.run.output);
      CHECK(asked.trace_text == plain.trace_text);
      CHECK(asked.stats_text == plain.stats_text);
      CHECK(answers.ends_with(" wrong 0\n"));
      CHECK(std::stol(answers.substr(answers.find("asked ") + 6)) > 10000);
    }
  }
}

TEST_CASE("plugin: hot_pages counts the faults of each page as --trace does", "[plugin]") {
  const fs::path out = folder() / "hot";
  const FaultlineResult result = run_with(guest("access_patterns", {"zipf", "200", "3"}),
                                          {example("hot_pages") + ",top=100000,out=" + out.string()});
  std::map<uint32_t, long> faults;
  for (const TraceRecord& record : result.trace) {
    faults[record.page] += record.counted;
  }
  std::map<uint32_t, long> told;
  long accesses = 0;
  std::istringstream lines(read_file(out));
  std::string line;
  std::getline(lines, line);
  CHECK(number_before(line, "faults") == result.minflt + result.majflt);
  const long all = number_before(line, "accesses");
  std::getline(lines, line);
  while (std::getline(lines, line)) {
    std::istringstream fields(line);
    std::string pid, page;
    long count = 0, major = 0, used = 0;
    REQUIRE(fields >> pid >> page >> count >> major >> used);
    if (count != 0) {
      told[static_cast<uint32_t>(std::stoul(page, nullptr, 16))] += count;
    }
    accesses += used;
  }
  CHECK(told == faults);
  CHECK(accesses == all);
  CHECK(accesses > 200 * 3);
}

TEST_CASE("plugin: working_set and tlb_model agree with --trace, --stats and one another", "[plugin]") {
  const fs::path set = folder() / "set.csv", tlb = folder() / "tlb", hot = folder() / "hot2";
  const FaultlineResult result = run_with(guest("access_patterns", {"phases", "256", "12"}),
                                          {example("working_set") + ",interval=100,out=" + set.string(),
                                           example("tlb_model") + ",ways2=64,factor=1024,out=" + tlb.string(),
                                           example("hot_pages") + ",out=" + hot.string()});
  const auto stats = nlohmann::json::parse(result.stats_text);
  // Every page that was faulted in by the program was touched; what was touched besides came with fault-around, or by
  // the kernel.
  std::set<uint32_t> by_fault, may_be;
  for (const TraceRecord& record : result.trace) {
    (record.mode == "user" ? by_fault : may_be).insert(record.page);
    for (uint32_t page = record.around ? record.around->from : 1; record.around && page <= record.around->to;
         page += 4096) {
      may_be.insert(page);
    }
  }
  may_be.insert(by_fault.begin(), by_fault.end());
  std::istringstream rows(read_file(set));
  std::string row;
  std::getline(rows, row);
  CHECK(row == "t,pages,first,accesses,blocks");
  uint64_t touched = 0, accesses = 0, blocks = 0, last = 0, most = 0;
  while (std::getline(rows, row)) {
    uint64_t t = 0, pages = 0, first = 0, used = 0, run = 0;
    REQUIRE(std::sscanf(row.c_str(), "%lu,%lu,%lu,%lu,%lu", &t, &pages, &first, &used, &run) == 5);
    CHECK(t > last);
    CHECK(first <= pages);
    last = t;
    touched += first;
    accesses += used;
    blocks += run;
    most = std::max(most, pages);
  }
  CHECK(touched >= by_fault.size());
  CHECK(touched <= may_be.size());
  CHECK(most >= 128);
  CHECK(blocks == stats["blocks"]);
  CHECK(last == stats["virtual_ns"]);
  const std::string table = read_file(tlb);
  CHECK(number_before(table, "accesses") == static_cast<long>(accesses));
  CHECK(number_before(read_file(hot), "accesses") == static_cast<long>(accesses));
  // Each size misses less than the one before; the largest second level only each page's first access.
  std::istringstream lines(table);
  std::getline(lines, row);
  std::getline(lines, row);
  long before = static_cast<long>(accesses) + 1, compulsory = 0;
  int sizes = 0;
  for (long entries = 0, misses = 0, second = 0; std::getline(lines, row); ++sizes) {
    double rate = 0;
    std::istringstream fields(row);
    REQUIRE(fields >> entries >> misses >> rate >> second >> compulsory);
    CHECK(entries == 16 << sizes);
    CHECK(second == entries * 1024);
    CHECK(misses <= before);
    CHECK(misses >= compulsory);
    before = misses;
  }
  CHECK(sizes == 5);
  CHECK(compulsory <= static_cast<long>(touched));
  CHECK(compulsory >= 256);
}

TEST_CASE("plugin: random_evict changes the majors, and none with choose=0", "[plugin]") {
  const std::vector<std::string> options{"--ram", "64M", "--memory-limit", "4M", "--swap", "32M"};
  const RunSpec spec = guest("access_patterns", {"zipf", "1600", "6"});
  const fs::path out = folder() / "random";
  const FaultlineResult plain = run_with(spec, {}, options);
  const FaultlineResult same = run_with(spec, {example("random_evict") + ",choose=0,out=" + out.string()}, options);
  CHECK(same.trace_text == plain.trace_text);
  CHECK(same.stats_text == plain.stats_text);
  const FaultlineResult random = run_with(spec, {example("random_evict") + ",out=" + out.string()}, options);
  const std::string said = read_file(out);
  INFO(said);
  CHECK(random.run.output == plain.run.output);
  CHECK(number_before(said, "major") == random.majflt);
  CHECK(number_before(said, "minor,") == random.minflt);
  CHECK(random.majflt > plain.majflt);
}

}  // namespace fl::test

// The command line: what each option means, what is refused and what belongs to the guest.
#include "emu/cli/options.hpp"

#include <catch2/catch_test_macros.hpp>

#include "emu/cli/size.hpp"

namespace fl::emu {
namespace {

HostResult<Command> parse(std::vector<std::string> arguments) { return parse_command_line(arguments, "VERSION"); }

RunOptions parse_run(std::vector<std::string> arguments) {
  auto command = parse(std::move(arguments));
  REQUIRE(command.has_value());
  REQUIRE(std::holds_alternative<RunOptions>(*command));
  return std::get<RunOptions>(*command);
}

std::string error_of(std::vector<std::string> arguments) {
  auto command = parse(std::move(arguments));
  REQUIRE_FALSE(command.has_value());
  CHECK(command.error().message.find('\n') == std::string::npos);
  return command.error().message;
}

using Strings = std::vector<std::string>;

}  // namespace

TEST_CASE("options: plugins, in their order, with their options") {
  const RunOptions options =
      parse_run({"run", "--plugin", "a.so", "--plugin", "/b/c.so,d=1,e=2", "./hello", "--plugin"});
  REQUIRE(options.plugins.size() == 2);
  CHECK(options.plugins[0] == PluginSpec{"./a.so", {}});
  CHECK(options.plugins[1] == PluginSpec{"/b/c.so", {{"d", "1"}, {"e", "2"}}});
  CHECK(options.command == Strings{"./hello", "--plugin"});
  CHECK(error_of({"run", "--plugin", "a.so,b", "./hello"}).find("option 'b' is not NAME=VALUE") != std::string::npos);
}

TEST_CASE("options: a program alone gets the documented defaults") {
  const RunOptions options = parse_run({"run", "./hello"});
  CHECK(options.command == Strings{"./hello"});
  CHECK(options.machine.ram_bytes == 256u << 20);
  CHECK(options.machine.profile->name == "6.1-i386");
  CHECK(options.machine.clock == ClockKind::kVirtual);
  CHECK(options.machine.seed == 0);
  CHECK_FALSE(options.machine.aslr);
  CHECK_FALSE(options.environment.clear);
  CHECK(options.machine.verify == vm::VerifyLevel::kOff);
  CHECK(options.stats == ReportTarget{});
  CHECK(options.strace == ReportTarget{});
  CHECK(options.trace_path.empty());
  CHECK_FALSE(options.machine.timeout_ms.has_value());
}

TEST_CASE("options: everything after the program belongs to the program") {
  CHECK(parse_run({"run", "./p", "--stats", "-x", "--", "run"}).command ==
        Strings{"./p", "--stats", "-x", "--", "run"});
  CHECK(parse_run({"run", "./p", "--stats"}).stats.kind == ReportTarget::Kind::kOff);
  CHECK(parse_run({"run", "--", "--stats", "a"}).command == Strings{"--stats", "a"});
  CHECK(parse_run({"run", "--aslr", "--", "./p", "--", "b"}).command == Strings{"./p", "--", "b"});
  CHECK(parse_run({"run", "run", "run"}).command == Strings{"run", "run"});
  CHECK(parse_run({"run", "-", "x"}).command == Strings{"-", "x"});
}

TEST_CASE("options: an optional value is taken only with an equals sign") {
  const RunOptions bare = parse_run({"run", "--stats", "--strace", "./p"});
  CHECK(bare.command == Strings{"./p"});
  CHECK(bare.stats == ReportTarget{ReportTarget::Kind::kStderr, ""});
  CHECK(bare.strace.kind == ReportTarget::Kind::kStderr);
  const RunOptions files = parse_run({"run", "--stats=s.json", "--strace=calls", "./p"});
  CHECK(files.stats == ReportTarget{ReportTarget::Kind::kFile, "s.json"});
  CHECK(files.strace == ReportTarget{ReportTarget::Kind::kFile, "calls"});
}

TEST_CASE("options: values may follow or be joined with an equals sign") {
  const RunOptions options = parse_run({"run",          "--ram",    "64M",    "--kernel=6.18-compat",
                                        "--trace",      "t.csv",    "--seed", "0x10",
                                        "--clock=host", "--verify", "2",      "--timeout=1.5",
                                        "--root",       "/r",       "--rw",   "/tmp",
                                        "--rw=/var",    "--aslr",   "./p",    "a"});
  CHECK(options.machine.ram_bytes == 64u << 20);
  CHECK(options.machine.profile->name == "6.18-compat");
  CHECK(options.trace_path == "t.csv");
  CHECK(options.machine.seed == 16);
  CHECK(options.machine.clock == ClockKind::kHost);
  CHECK(options.machine.verify == vm::VerifyLevel::kFaults);
  CHECK(options.machine.timeout_ms == 1500);
  CHECK(options.machine.root == "/r");
  CHECK(options.machine.writable == Strings{"/tmp", "/var"});
  CHECK(options.machine.aslr);
  CHECK(options.command == Strings{"./p", "a"});
}

TEST_CASE("options: a repeated --env takes one variable each and leaves the program alone") {
  const RunOptions options = parse_run({"run", "--clear-env", "--env", "A=1", "--env=B=x=y", "./p", "C=3"});
  CHECK(options.environment.set == Strings{"A=1", "B=x=y"});
  CHECK(options.command == Strings{"./p", "C=3"});
  const Strings host{"PATH=/bin", "A=0", "AB=2"};
  CHECK(options.environment.apply(host) == Strings{"A=1", "B=x=y"});
  CHECK(parse_run({"run", "--env", "A=1", "--env", "Z=", "./p"}).environment.apply(host) ==
        Strings{"PATH=/bin", "A=1", "AB=2", "Z="});
}

TEST_CASE("options: swap areas keep their order, and have priorities if they are given") {
  using Areas = std::vector<SwapOptions>;
  CHECK(parse_run({"run", "./p"}).machine.swap.empty());
  const RunOptions options = parse_run({"run", "--swap", "64M", "--swapfile=a,b,prio=3", "--swap=40K,prio=0",
                                        "--swapfile", "c", "--swap", "0x20001000,prio=32767", "./p", "d"});
  CHECK(options.machine.swap ==
        Areas{{64u << 20, "", {}}, {0, "a,b", 3}, {40u << 10, "", 0}, {0, "c", {}}, {0x20001000, "", 32767}});
  CHECK(options.command == Strings{"./p", "d"});
  CHECK(parse_run({"run", "--swap", "50001", "./p"}).machine.swap == Areas{{49152, "", {}}});
  CHECK(error_of({"run", "--swap", "39K", "./p"}) == "cannot use the swap size: 39K: give 40K to 32G");
  CHECK(error_of({"run", "--swap", "33G", "./p"}).find("33G: give 40K to 32G") != std::string::npos);
  CHECK(error_of({"run", "--swap", "much", "./p"}).find("much: give 40K") != std::string::npos);
  CHECK(error_of({"run", "--swap", "1M,prio=-1", "./p"}).find("give 0 to 32767") != std::string::npos);
  CHECK(error_of({"run", "--swapfile", "f,prio=32768", "./p"}).find("give 0 to 32767") != std::string::npos);
  CHECK(error_of({"run", "--swapfile", ",prio=1", "./p"}).find("give a file") != std::string::npos);
  CHECK(error_of({"run", "--swap"}).find("--swap") != std::string::npos);
  Strings many{"run"};
  for (int i = 0; i < 29; ++i) {
    many.push_back("--swap=1M");
  }
  many.push_back("./p");
  CHECK(error_of(many).find("29: give at most 28") != std::string::npos);
}

TEST_CASE("options: what cannot be used is refused with the value and what to do") {
  CHECK(error_of({"run", "--ram", "12Q", "./p"}) == "cannot use the RAM size: 12Q: give 1M to 4G");
  CHECK(error_of({"run", "--ram", "4K", "./p"}).find("4K: give 1M to 4G") != std::string::npos);
  CHECK(error_of({"run", "--ram=8G", "./p"}).find("8G") != std::string::npos);
  CHECK(error_of({"run", "--kernel", "2.4", "./p"}).find("2.4: give 6.1-i386 or 6.18-compat") != std::string::npos);
  CHECK(error_of({"run", "--cpu", "/no/record", "./p"}).find("/no/record: give default, host or") != std::string::npos);
  CHECK(error_of({"run", "--env", "A", "./p"}).find("give NAME=VALUE") != std::string::npos);
  CHECK(error_of({"run", "--env", "=A", "./p"}).find("give NAME=VALUE") != std::string::npos);
  CHECK(error_of({"run", "--verify", "3", "./p"}).find("give 0, 1 or 2") != std::string::npos);
  CHECK(error_of({"run", "--verify", "x", "./p"}).find("--verify") != std::string::npos);
  CHECK(error_of({"run", "--clock", "sun", "./p"}).find("give virtual or host") != std::string::npos);
  CHECK(error_of({"run", "--seed", "-1", "./p"}).find("seed") != std::string::npos);
  CHECK(error_of({"run", "--timeout", "0", "./p"}).find("timeout: 0") != std::string::npos);
  CHECK(error_of({"run", "--timeout", "nan", "./p"}).find("timeout: nan") != std::string::npos);
  CHECK(error_of({"run", "--dump", "heap", "./p"}).find("heap: give maps") != std::string::npos);
  CHECK(error_of({"run", "--unknown", "./p"}).find("--unknown") != std::string::npos);
  CHECK(error_of({"run", "--trace"}).find("--trace") != std::string::npos);
  CHECK(error_of({"run"}).find("no PROGRAM") != std::string::npos);
  CHECK(error_of({"run", "--stats", "--"}).find("no PROGRAM") != std::string::npos);
  CHECK(error_of({"run", ""}).find("empty") != std::string::npos);
  CHECK(error_of({}).find("no command") != std::string::npos);
  CHECK(error_of({"walk"}).find("walk") != std::string::npos);
}

TEST_CASE("options: help names every option and version gives the given text") {
  const auto help = parse({"run", "--help"});
  REQUIRE(help.has_value());
  const std::string text = std::get<Information>(*help).text;
  for (const char* option :
       {"--ram", "--swap ", "--swapfile", "--kernel", "--env", "--clear-env", "--root", "--rw", "--trace", "--stats",
        "--strace", "--log", "--verify", "--clock", "--seed", "--aslr", "--timeout", "--dump"}) {
    INFO(option);
    CHECK(text.find(option) != std::string::npos);
  }
  CHECK(text.find("[--] PROGRAM [ARGS...]") != std::string::npos);
  CHECK(text.find("--stats [=FILE]") != std::string::npos);
  CHECK(text.find("{}") == std::string::npos);
  CHECK(std::get<Information>(parse({"--version"}).value()).text == "VERSION");
  CHECK(std::get<Information>(parse({"--help"}).value()).text.find("run") != std::string::npos);
  CHECK(parse_run({"run", "./p", "--help"}).command == Strings{"./p", "--help"});
}

TEST_CASE("options: record has its own options and its own status for what cannot be used") {
  const auto command = parse({"record", "--runs", "7", "--env", "A=1", "--clear-env", "--trace=t.csv", "--stats",
                              "s.json", "--output", "r.json", "--stdin", "in", "--", "./p", "--runs"});
  REQUIRE(command.has_value());
  const auto& options = std::get<RecordOptions>(*command);
  CHECK(options.runs == 7);
  CHECK(options.environment.set == Strings{"A=1"});
  CHECK(options.environment.clear);
  CHECK(options.trace_path == "t.csv");
  CHECK(options.stats_path == "s.json");
  CHECK(options.output_path == "r.json");
  CHECK(options.stdin_path == "in");
  CHECK(options.command == Strings{"./p", "--runs"});
  CHECK(std::get<RecordOptions>(*parse({"record", "./p"})).runs == 5);
  for (const Strings& bad : {Strings{"record"},
                             {"record", "--runs", "0", "p"},
                             {"record", "--runs", "x", "p"},
                             {"record", "--runs", "1001", "p"},
                             {"record", "--env", "A", "p"},
                             {"record", "--ram", "4G", "p"},
                             {"record", ""}}) {
    const auto refused = parse(bad);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().status == kExitUsage);
  }
  CHECK(parse({"run"}).error().status == kExitHostError);
  CHECK(std::get<Information>(parse({"record", "--help"}).value()).text.find("Exit status: 0") != std::string::npos);
}

TEST_CASE("options: nodes, the boot log and failing allocations") {
  const RunOptions options = parse_run({"run", "--numa", "4", "--dmesg", "--fail-alloc", "p=0.5", "./p"});
  CHECK(options.machine.nodes == 4);
  CHECK(options.dmesg);
  CHECK(options.machine.fail_alloc == "p=0.5");
  CHECK(parse_run({"run", "./p"}).machine.nodes == 1);
  for (const char* bad : {"0", "9", "x", "-1"}) {
    CHECK(error_of({"run", "--numa", bad, "./p"}).find("give 1 to 8") != std::string::npos);
  }
  for (const char* bad : {"", "x", "nth=", "nth=x", "every=-1", "p=2"}) {
    INFO(bad);
    CHECK(error_of({"run", "--fail-alloc", bad, "./p"}).find("nth=N, every=N or p=X") != std::string::npos);
  }
}

TEST_CASE("options: a dump may name any report about memory, without a value") {
  for (const vm::MemoryReport& report : vm::memory_reports()) {
    const auto requests = parse_dump_spec(report.name);
    REQUIRE(requests.has_value());
    CHECK(requests->at(0).report == &report);
  }
  CHECK(parse_dump_spec("maps,meminfo").value().size() == 2);
  CHECK(parse_dump_spec("leaks").value().at(0).kind == DumpRequest::Kind::kLeaks);
  CHECK_FALSE(parse_dump_spec("meminfo:1").has_value());
  CHECK(error_of({"run", "--dump", "heap", "./p"}).find("meminfo") != std::string::npos);
}

TEST_CASE("options: a dump request is a list of maps, pagetable and walk") {
  using Kind = DumpRequest::Kind;
  CHECK(parse_dump_spec("maps,pagetable:7,walk:0x8049123").value() ==
        std::vector<DumpRequest>{{Kind::kMaps, std::nullopt, {}},
                                 {Kind::kPageTable, 7, {}},
                                 {Kind::kWalk, std::nullopt, VirtAddr(0x8049123)}});
  for (const char* bad : {"", "maps,", "maps:", "maps:x", "walk", "walk:", "walk:0x100000000", "pagetable:-1"}) {
    INFO(bad);
    CHECK_FALSE(parse_dump_spec(bad).has_value());
  }
}

TEST_CASE("options: sizes are read exactly and overflow is refused") {
  CHECK(parse_size("4096") == 4096);
  CHECK(parse_size("256M") == 256u << 20);
  CHECK(parse_size("4g") == uint64_t{4} << 30);
  CHECK(parse_size("16KiB") == 16384);
  CHECK(parse_size("0x1000") == 4096);
  CHECK_FALSE(parse_size(""));
  CHECK_FALSE(parse_size("M"));
  CHECK_FALSE(parse_size("1.5M"));
  CHECK_FALSE(parse_size("-1"));
  CHECK_FALSE(parse_size(" 1"));
  CHECK_FALSE(parse_size("99999999999999999999"));
  CHECK_FALSE(parse_size("18446744073709551615K"));
  CHECK(format_size(256u << 20) == "256M");
  CHECK(format_size(1000) == "1000");
}

}  // namespace fl::emu

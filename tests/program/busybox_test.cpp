// Debian's static i386 busybox, unmodified: its applets on real input give the native output and exit status.
//
// Everything is compared with a native run in the same test; standard output and the exit status, not standard error,
// in which dd for instance prints a speed.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <catch2/catch_test_macros.hpp>

#include "tests/program/support/busybox_input.hpp"
#include "tests/program/support/faultline_run.hpp"
#include "tests/program/support/native_run.hpp"

namespace fl::test {
namespace {

struct Command {
  std::vector<std::string> args;
  const char* input = nullptr;  // standard input, a file of busybox_input()
};

const std::vector<Command> kCommands = {
    {{"sha256sum", "text.txt"}},
    {{"sha1sum", "text.txt", "small.txt"}},
    {{"sha512sum", "small.txt"}},
    {{"sha3sum", "small.txt"}},
    {{"md5sum", "text.txt", "table.csv"}},
    {{"cksum", "text.txt"}},
    {{"crc32", "text.txt"}},
    {{"sum", "text.txt"}},
    {{"sort", "small.txt"}},
    {{"sort", "-n", "nums.txt"}},
    {{"sort", "-t,", "-k2,2", "-k3,3nr", "table.csv"}},
    {{"sort", "-u", "nums.txt"}},
    {{"gzip", "-c", "small.txt"}},
    {{"gzip", "-9c", "table.csv"}},
    {{"gunzip", "-c", "text.txt.gz"}},
    {{"bzip2", "-c", "small.txt"}},
    {{"bunzip2", "-c", "text.txt.bz2"}},
    {{"bzcat", "text.txt.bz2"}},
    {{"awk", "-F,", "{ sum[$2] += $3 } END { for (n in sum) total += sum[n]; print total, NR }", "table.csv"}},
    {{"awk", "{ n += NF } length($0) > 60 { m++ } END { printf \"%d %d %.3f\\n\", n, m, n / NR }", "text.txt"}},
    {{"awk", "BEGIN { for (i = 0; i < 20000; i++) s += sin(i) * i; printf \"%.6f\\n\", s }"}},
    {{"sed", "-e", "s/page/PAGE/g", "-e", "/fault$/d", "small.txt"}},
    {{"sed", "-n", "$=", "text.txt"}},
    {{"grep", "-c", "pagefault", "text.txt"}},
    {{"grep", "-n", "-E", "^(mem|zo).*(table|ry)$", "text.txt"}},
    {{"grep", "nothing like this", "text.txt"}},
    {{"wc", "text.txt", "table.csv", "nums.txt"}},
    {{"wc", "-L", "small.txt"}},
    {{"od", "-A", "x", "-t", "x1", "small.txt"}},
    {{"hexdump", "-C", "small.txt"}},
    {{"xxd", "small.txt"}},
    {{"dd", "if=text.txt", "bs=1000", "skip=7", "count=100"}},
    {{"dd", "if=big.bin", "bs=64k", "count=16"}},
    {{"tr", "a-z", "A-Z"}, "text.txt"},
    {{"tr", "-d", "aeiou"}, "small.txt"},
    {{"tr", "-cs", "a-z", "\\n"}, "small.txt"},
    {{"cut", "-d,", "-f2,4", "table.csv"}},
    {{"cut", "-c3-10", "small.txt"}},
    {{"uniq", "-c", "sorted.txt"}},
    {{"diff", "small.txt", "other.txt"}},
    {{"diff", "-u", "small.txt", "other.txt"}},
    {{"diff", "small.txt", "small.txt"}},
    {{"cmp", "small.txt", "other.txt"}},
    {{"find", "tree", "-type", "f", "-name", "*.txt", "-size", "+1"}},
    {{"find", "tree"}},
    {{"ls", "-lR", "tree"}},
    {{"ls", "-lnRe", "tree"}},
    {{"ls", "-1aF", "tree"}},
    {{"tar", "c", "tree"}},
    {{"du", "-a", "tree"}},
    {{"stat", "-c", "%n %s %f %h %Y", "small.txt", "tree"}},
    {{"bc"}, "bc.in"},
    {{"dc", "-e", "2 200 ^ p 12345 678 * p"}},
    {{"expr", "12", "*", "(", "7", "+", "5", ")"}},
    {{"expr", "1", "=", "2"}},
    {{"seq", "1", "3", "20000"}},
    {{"seq", "-w", "1", "1000"}},
    {{"factor", "2147483646", "999999999989", "1234567890"}},
    {{"base64", "small.txt"}},
    {{"uuencode", "small.txt", "name"}},
    {{"head", "-n", "20", "text.txt"}},
    {{"tail", "-n", "20", "text.txt"}},
    {{"tail", "-c", "1000", "big.bin"}},
    {{"tac", "small.txt"}},
    {{"rev", "small.txt"}},
    {{"nl", "small.txt"}},
    {{"fold", "-w", "30", "small.txt"}},
    {{"expand", "tabs.txt"}},
    {{"unexpand", "-a", "small.txt"}},
    {{"paste", "sorted.txt", "sorted2.txt"}},
    {{"strings", "-n", "8", "big.bin"}},
    {{"cat", "small.txt", "tabs.txt"}},
    {{"cat", "-n"}, "small.txt"},
    {{"cat", "no such file"}},
    {{"cal", "2", "2024"}},
    {{"date", "-u", "-d", "@86400", "+%Y-%m-%d %H:%M:%S"}},
    {{"printf", "%05d %s %x\\n", "42", "text", "255"}},
    {{"echo", "-e", "a\\tb"}},
    {{"basename", "/a/b/c.txt", ".txt"}},
    {{"dirname", "/a/b/c.txt"}},
    {{"readlink", "tree/link"}},
    {{"realpath", "tree/../tree/a"}},
    {{"test", "-f", "small.txt"}},
    {{"test", "-d", "small.txt"}},
    {{"true"}},
    {{"false"}},
    {{"pwd"}},
    {{"env"}},
    {{"id", "-u"}},
    {{"ash", "-c", "i=0; s=0; while [ $i -lt 20000 ]; do i=$((i+1)); s=$((s+i*i%7)); done; echo $s"}},
    {{"ash", "-c", "case abc in a*) echo yes;; esac; for f in tree/*; do echo $f; done; exit 3"}},
    {{"no-such-applet"}},
};

const std::vector<Command> kBigCommands = {
    {{"sha256sum", "big.bin"}},
    {{"md5sum", "big.txt"}},
    {{"cksum", "big.bin"}},
    {{"wc", "big.txt"}},
    {{"sort", "big.txt"}},
    {{"gzip", "-c", "big.txt"}},
    {{"grep", "-c", "slabslab", "big.txt"}},
    {{"tr", "a-z", "A-Z"}, "big.txt"},
    {{"od", "text.txt"}},
    {{"bzip2", "-c", "text.txt"}},
    {{"dd", "if=big.bin", "bs=1M"}},
    {{"cat", "big.bin"}},
};

// The first difference, in a few characters: the whole output may have 10 MB.
void check_output(const std::string& got, const std::string& want) {
  if (got == want) {
    SUCCEED();
    return;
  }
  const size_t at = static_cast<size_t>(
      std::mismatch(got.begin(), got.begin() + static_cast<long>(std::min(got.size(), want.size())), want.begin())
          .first -
      got.begin());
  const size_t from = at < 40 ? 0 : at - 40;
  FAIL_CHECK("output differs at byte " << at << "\n  got  (" << got.size() << " bytes): ..." << got.substr(from, 100)
                                       << "\n  want (" << want.size() << " bytes): ..." << want.substr(from, 100));
}

void check_commands(const std::vector<Command>& commands) {
  const std::filesystem::path input = busybox_input();
  if (input.empty()) {
    SKIP("busybox-static for i386 is not in .deps, or this host cannot run it");
  }
  for (const Command& command : commands) {
    RunSpec spec{.program = FL_BUSYBOX, .args = command.args, .cwd = input, .timeout = std::chrono::seconds(120)};
    if (command.input != nullptr) {
      spec.stdin_file = input / command.input;
    }
    DYNAMIC_SECTION(fmt::format("{}", fmt::join(command.args, " "))) {
      const RunResult native = run_process(spec);
      REQUIRE_FALSE(native.timed_out);
      const FaultlineResult result = run_faultline(spec);
      INFO("faultline's stderr: " << result.run.error.substr(0, 2000));
      CHECK(result.run.exit_status == native.exit_status);
      check_output(result.run.output, native.output);
    }
  }
}

}  // namespace

TEST_CASE("busybox: applets give the native output and exit status", "[busybox]") { check_commands(kCommands); }

TEST_CASE("busybox: applets on 10 MB give the native output and exit status", "[busybox][slow]") {
  check_commands(kBigCommands);
}

}  // namespace fl::test

// Swap areas of the command line, and busybox's tools on them; files are made by the host's mkswap.
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <fstream>

#include "tests/program/support/faultline_run.hpp"
#include "tests/program/support/native_run.hpp"
#include "tests/program/support/swap_files.hpp"

namespace fl::test {
namespace fs = std::filesystem;
namespace {

constexpr const char* kHeading = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";

RunResult busybox(const std::vector<std::string>& args, const std::vector<std::string>& options) {
  const RunSpec spec{.program = FL_BUSYBOX, .args = args};
  if (!fs::exists(spec.program)) {
    SKIP("no busybox");
  }
  return run_faultline(spec, {.kernel = "6.1-i386", .extra = options}).run;
}

std::string output_of(const std::vector<std::string>& args, const std::vector<std::string>& options) {
  const RunResult run = busybox(args, options);
  INFO(run.error);
  REQUIRE(run.exit_status == 0);
  return run.output;
}

std::string line(const std::string& name, const char* rest) {
  return name + std::string(name.size() < 40 ? 40 - name.size() : 1, ' ') + rest;
}

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("swap: areas of --swap and --swapfile are there, in order, with their sizes and priorities", "[swap]") {
  const fs::path file = make_swap("area", 2048);
  const std::string before = read_file(file);
  CHECK(output_of({"cat", "/proc/swaps"}, {}) == kHeading);
  const std::vector<std::string> options{"--swap",   "64M",       "--swapfile", file.string() + ",prio=7",
                                         "--swap",   "1M,prio=0", "--dump",     "leaks",
                                         "--verify", "2"};
  CHECK(output_of({"cat", "/proc/swaps"}, options) == kHeading + line("/dev/swap0", "partition\t65532\t\t0\t\t-2\n") +
                                                          line(file.string(), "file\t\t2044\t\t0\t\t7\n") +
                                                          line("/dev/swap1", "partition\t1020\t\t0\t\t0\n"));
  const std::string free = output_of({"free"}, options);
  CHECK(free.find("Swap:         68596           0       68596") != std::string::npos);
  const std::string meminfo = output_of({"grep", "Swap", "/proc/meminfo"}, options);
  CHECK(meminfo == "SwapCached:            0 kB\nSwapTotal:         68596 kB\nSwapFree:          68596 kB\n");
  const std::string vmstat = output_of({"grep", "psw", "/proc/vmstat"}, options);
  CHECK(vmstat == "pswpin 0\npswpout 0\n");
  CHECK(busybox({"true"}, options).error.find("leaks: none\n") != std::string::npos);
  CHECK(read_file(file) == before);
}

TEST_CASE("swap: an area that cannot be used ends the run with status 125 and one line", "[swap]") {
  const fs::path good = make_swap("good", 1024);
  const auto refused = [](const fs::path& path, const char* why) {
    const RunResult run = busybox({"true"}, {"--swapfile", path.string()});
    INFO(path.string() << ": " << run.error);
    CHECK(run.exit_status == 125);
    CHECK(run.error == "faultline: cannot swap to: " + path.string() + ": " + why + "\n");
  };
  refused(zero_file("zeros", 1 << 20), "no swap signature: make one with mkswap(8)");
  refused(scratch() / "none", "No such file or directory");
  refused(zero_file("tiny", 100), "no swap header can be read");
  refused("/dev/zero", "not a regular file");
  const auto spoilt = [&](const char* name, size_t at, uint32_t word) {
    const fs::path path = scratch() / name;
    fs::copy_file(good, path, fs::copy_options::overwrite_existing);
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(at));
    file.write(reinterpret_cast<const char*>(&word), sizeof word);
    return path;
  };
  refused(spoilt("version", 1024, 2), "swap header of an unknown version");
  refused(spoilt("empty", 1028, 0), "empty swap area");
  refused(spoilt("large", 1028, 256), "swap area shorter than its header says");
  refused(spoilt("bad", 1032, 1), "swap file with bad pages");
  const RunResult twice = busybox({"true"}, {"--swapfile", good.string(), "--swapfile", good.string()});
  CHECK(twice.exit_status == 125);
  CHECK(twice.error.find("in use by another process") != std::string::npos);
  const RunResult size = busybox({"true"}, {"--swap", "1K"});
  CHECK(size.exit_status == 125);
  CHECK(size.error.find("give 40K to 32G") != std::string::npos);
  const RunResult small = busybox({"true"}, {"--swap", "32G", "--ram", "4M"});
  CHECK(small.exit_status == 125);
  CHECK(small.error.find("give more --ram") != std::string::npos);
}

TEST_CASE("swap: busybox's swapoff and swapon work on areas of the command line and on files", "[swap]") {
  if (::geteuid() != 0) {
    SKIP("not root: the guest may not swap");
  }
  const fs::path file = make_swap("named", 1024);
  const std::string commands = "swapoff " + file.string() + " && swapoff /dev/swap0 && cat /proc/swaps && swapon " +
                               file.string() + " && cat /proc/swaps";
  CHECK(output_of({"ash", "-c", commands}, {"--swap", "1M", "--swapfile", file.string()}) ==
        std::string(kHeading) + kHeading + line(file.string(), "file\t\t1020\t\t0\t\t-2\n"));
  // A file of the guest's own.
  const fs::path folder = scratch() / "swapfiles";
  fs::create_directories(folder);
  fs::copy_file(file, folder / "own", fs::copy_options::overwrite_existing);
  const std::string own = fs::canonical(folder / "own").string();
  const std::string own_commands = "swapon " + own + " && tail -n 1 /proc/swaps; rm " + own + "; echo x >> " + own +
                                   "; swapoff " + own + " && cat /proc/swaps; rm " + own;
  const RunResult run = busybox({"ash", "-c", own_commands}, {"--rw", folder.string(), "--dump", "leaks"});
  INFO(run.error);
  CHECK(run.output == line(own, "file\t\t1020\t\t0\t\t-2\n") + kHeading);
  CHECK(run.error.find("Operation not permitted") != std::string::npos);
  CHECK(run.error.find("Text file busy") != std::string::npos);
  CHECK(run.error.find("leaks: none\n") != std::string::npos);
  CHECK_FALSE(fs::exists(own));
}

TEST_CASE("swapoff: where promises are counted, they must fit without the area", "[swap]") {
  if (::geteuid() != 0) {
    SKIP("not root: the guest may not swap");
  }
  const std::string commands =
      "cd /proc/sys/vm; echo 2 > overcommit_memory; echo 0 > overcommit_ratio; swapoff /dev/swap0; tail -n +2 "
      "/proc/swaps; echo 0 > overcommit_memory; swapoff /dev/swap0 && cat /proc/swaps";
  const RunResult run = busybox({"ash", "-c", commands}, {"--swap", "64M", "--dump", "leaks"});
  INFO(run.error);
  CHECK(run.output == line("/dev/swap0", "partition\t65532\t\t0\t\t-2\n") + kHeading);
  CHECK(run.error.find("swapoff: /dev/swap0: Cannot allocate memory") != std::string::npos);
  CHECK(run.error.find("leaks: none\n") != std::string::npos);
}

}  // namespace fl::test

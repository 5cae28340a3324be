// /proc files that can be written, and who may.
#include <array>

#include "guest/fs/proc/sysctl.hpp"
#include "tests/unit/guest/fs_kernel.hpp"

namespace fl::guest::test {
namespace {

constexpr const char* kDropCaches = "/proc/sys/vm/drop_caches";

int32_t write_to(FsKernel& machine, const std::string& path, const std::string& text) {
  const int32_t fd = machine.open_file(path, OpenFlag::kWriteOnly | OpenFlag::kCreate | OpenFlag::kTruncate);
  if (fd < 0) {
    return fd;
  }
  const auto length = static_cast<uint32_t>(text.size());
  const int32_t written = machine.call(Nr::kWrite, {static_cast<uint32_t>(fd), machine.string(text), length});
  REQUIRE(machine.call(Nr::kClose, {static_cast<uint32_t>(fd)}) == 0);
  return written;
}

void become(FsKernel& machine, uint32_t uid) {
  Credentials& cred = machine.task->cred;
  cred.uid = cred.euid = cred.suid = cred.fsuid = uid;
  cred.gid = cred.egid = cred.sgid = cred.fsgid = uid;
}

Result<std::array<uint32_t, 3>> parsed(std::string_view text, uint32_t least = 0, uint32_t most = ~0u) {
  std::array<uint32_t, 3> values{7, 8, 9};
  const Status status = parse_sysctl(text, values, least, most);
  if (!status) {
    CHECK(values == std::array<uint32_t, 3>{7, 8, 9});
    return fail(status.error());
  }
  return values;
}

}  // namespace

TEST_CASE("sysctl: numbers are read as Linux reads them") {
  using Values = std::array<uint32_t, 3>;
  CHECK(parsed("1\n") == Values{1, 8, 9});
  CHECK(parsed("  1\t2 \n 3\n") == Values{1, 2, 3});
  CHECK(parsed("0x10 010 0") == Values{16, 8, 0});
  CHECK(parsed("1 2 3 4") == Values{1, 2, 3});
  CHECK(parsed(std::string_view("5\0rest", 6)) == Values{5, 8, 9});
  for (const char* bad : {"", " \n", "x", "1x", "-1", "1 2 z", "99999999999", "0x"}) {
    INFO(bad);
    CHECK(parsed(bad).error() == Errno::kEINVAL);
  }
  CHECK(parsed("4", 1, 4).has_value());
  CHECK(parsed("5", 1, 4).error() == Errno::kEINVAL);
  CHECK(parsed("0", 1, 4).error() == Errno::kEINVAL);
  CHECK(format_sysctl(std::array<uint32_t, 3>{256, 32, 0}) == "256\t32\t0\n");
}

TEST_CASE("proc settings: root writes them, nobody else does") {
  FsKernel machine;
  CHECK(write_to(machine, kDropCaches, "1\n") == 2);
  CHECK(write_to(machine, kDropCaches, "9\n") == FsKernel::error(Errno::kEINVAL));
  CHECK(write_to(machine, "/proc/sys/vm/mmap_min_addr", "1\n") == FsKernel::error(Errno::kEACCES));
  CHECK(write_to(machine, "/proc/meminfo", "1\n") == FsKernel::error(Errno::kEACCES));
  become(machine, 1000);
  CHECK(write_to(machine, kDropCaches, "1\n") == FsKernel::error(Errno::kEACCES));
  CHECK(machine.open_file("/proc/meminfo") >= 0);
}

TEST_CASE("proc settings: a write-only one is read by nobody, not even root") {
  FsKernel machine;
  CHECK(machine.open_file(kDropCaches) == FsKernel::error(Errno::kEACCES));
  CHECK(machine.open_file(kDropCaches, OpenFlag::kReadWrite) == FsKernel::error(Errno::kEACCES));
  CHECK(machine.call(Nr::kAccess, {machine.string(kDropCaches), 2}) == 0);
  CHECK(machine.call(Nr::kAccess, {machine.string(kDropCaches), 4}) == FsKernel::error(Errno::kEACCES));
}

TEST_CASE("proc settings: writing drop_caches drops what nobody maps") {
  FsKernel machine;
  const int32_t fd = machine.open_file("/ro/file");
  REQUIRE(fd >= 0);
  REQUIRE(machine.call(Nr::kMmap2, {0, 4096, 1, 2, static_cast<uint32_t>(fd), 0}) != 0);
  REQUIRE(machine.call(Nr::kRead, {static_cast<uint32_t>(fd), kData, 4}) == 4);
  REQUIRE(machine.call(Nr::kClose, {static_cast<uint32_t>(fd)}) == 0);
  const uint32_t cached = machine.memory->cache().cached_pages();
  REQUIRE(cached > 0);
  REQUIRE(write_to(machine, kDropCaches, "3\n") == 2);
  CHECK(machine.memory->cache().cached_pages() == 0);
}

TEST_CASE("proc settings: only the first write of an open counts, and it must be readable memory") {
  FsKernel machine;
  const auto fd = static_cast<uint32_t>(machine.open_file(kDropCaches, OpenFlag::kWriteOnly));
  CHECK(machine.call(Nr::kWrite, {fd, 0x10000, 2}) == FsKernel::error(Errno::kEFAULT));
  CHECK(machine.call(Nr::kWrite, {fd, machine.string("1\n"), 2}) == 2);
  CHECK(machine.call(Nr::kWrite, {fd, machine.string("bad"), 3}) == 3);
}

}  // namespace fl::guest::test

// swapon and swapoff as a program makes them, what /proc and sysinfo say, and swap files of the host.
#include <sys/stat.h>

#include <array>

#include "guest/fs/host/host_swap.hpp"
#include "tests/unit/guest/fs_kernel.hpp"
#include "vm/swap/swap_header.hpp"
#include "vm/swap/swap_space.hpp"

namespace fl::guest::test {
namespace {

constexpr uint32_t kSwapon = 87, kSwapoff = 115, kTruncate = 92, kSysinfo = 116, kRename = 38;

// The bytes of a swap area, written whole.
std::string area_of(uint32_t pages) {
  std::array<std::byte, 4096> header;
  vm::make_swap_header(header, pages);
  std::string text(size_t{pages} * 4096, 'x');
  std::memcpy(text.data(), header.data(), header.size());
  return text;
}

class SwapKernel : public FsKernel {
 public:
  SwapKernel() { put("root/rw/swap", area_of(21)); }
  int32_t swapon(const std::string& path, uint32_t flags = 0) { return call(kSwapon, {string(path), flags}); }
  int32_t swapoff(const std::string& path) { return call(kSwapoff, {string(path)}); }
  vm::SwapSpace& swap() { return memory->swap(); }
};

}  // namespace

TEST_CASE("swapon: a file of a writable directory is an area until swapoff") {
  SwapKernel machine;
  CHECK(machine.read_path("/proc/swaps") == "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
  REQUIRE(machine.swapon("/rw/swap") == 0);
  CHECK(machine.swap().total_swap_pages() == 20);
  CHECK(machine.read_path("/proc/swaps") ==
        "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
        "/rw/swap                                file\t\t80\t\t0\t\t-2\n");
  REQUIRE(machine.swap().get_swap_page());
  CHECK(machine.read_path("/proc/swaps").find("80\t\t4\t\t-2\n") != std::string::npos);
  const std::string meminfo = machine.read_path("/proc/meminfo");
  CHECK(meminfo.find("SwapCached:            0 kB\n") != std::string::npos);
  CHECK(meminfo.find("SwapTotal:            80 kB\n") != std::string::npos);
  CHECK(meminfo.find("SwapFree:             76 kB\n") != std::string::npos);
  const uint32_t info = machine.fresh(1);
  CHECK(machine.call(kSysinfo, {info}) == 0);
  CHECK(machine.peek<uint32_t>(info + 32) == 80 * 1024);
  CHECK(machine.peek<uint32_t>(info + 36) == 76 * 1024);
  CHECK(machine.swapon("/rw/swap") == FsKernel::error(Errno::kEBUSY));
  // In use, and nobody brings it in.
  CHECK(machine.swapoff("/rw/swap") == FsKernel::error(Errno::kEBUSY));
  machine.swap().swapcache_free({0, 1});
  CHECK(machine.swapoff("rw/./sub/../swap") == 0);
  CHECK(machine.swap().total_swap_pages() == 0);
  CHECK(machine.swapoff("/rw/swap") == FsKernel::error(Errno::kEINVAL));
  CHECK(machine.swapon("/rw/swap", 0x8000 | 9 | 0x70000) == 0);
  CHECK(machine.read_path("/proc/swaps").ends_with("\t0\t\t9\n"));
}

TEST_CASE("swapon: what cannot be an area is refused as Linux does") {
  SwapKernel machine;
  CHECK(machine.swapon("/rw/none") == FsKernel::error(Errno::kENOENT));
  CHECK(machine.swapon("/rw/file") == FsKernel::error(Errno::kEINVAL));
  CHECK(machine.swapon("/rw") == FsKernel::error(Errno::kEISDIR));
  CHECK(machine.swapon("/dev/zero") == FsKernel::error(Errno::kEINVAL));
  machine.put("root/ro/swap", area_of(21));
  CHECK(machine.swapon("/ro/swap") == FsKernel::error(Errno::kEROFS));
  CHECK(machine.swapon("/rw/swap", 0x80000) == FsKernel::error(Errno::kEINVAL));
  CHECK(machine.call(kSwapon, {0x10000, 0}) == FsKernel::error(Errno::kEFAULT));
  CHECK(machine.call(kSwapoff, {0x10000}) == FsKernel::error(Errno::kEFAULT));
  // tmpfs has no blocks.
  const int32_t fd = machine.open_file("/tmp/swap", OpenFlag::kReadWrite | OpenFlag::kCreate);
  REQUIRE(fd >= 0);
  const uint32_t page = machine.fresh(1);
  std::array<std::byte, 4096> header;
  vm::make_swap_header(header, 2);
  REQUIRE(machine.task->user().write(VirtAddr(page), header));
  REQUIRE(machine.call(Nr::kWrite, {static_cast<uint32_t>(fd), page, 4096}) == 4096);
  REQUIRE(machine.call(Nr::kWrite, {static_cast<uint32_t>(fd), page, 4096}) == 4096);
  CHECK(machine.swapon("/tmp/swap") == FsKernel::error(Errno::kEINVAL));
  // A file with holes.
  machine.put("root/rw/holes", area_of(2).substr(0, 4096));
  std::filesystem::resize_file(machine.base / "root/rw/holes", 1 << 20);
  CHECK(machine.swapon("/rw/holes") == FsKernel::error(Errno::kEINVAL));
  // Shorter than its header says, even by a byte.
  std::filesystem::resize_file(machine.base / "root/rw/swap", 21 * 4096 - 1);
  CHECK(machine.swapon("/rw/swap") == FsKernel::error(Errno::kEINVAL));
  machine.put("root/rw/swap", area_of(21));
  machine.task->cred.euid = 1000;
  CHECK(machine.swapon("/rw/swap") == FsKernel::error(Errno::kEPERM));
  CHECK(machine.swapoff("/rw/swap") == FsKernel::error(Errno::kEPERM));
  CHECK(machine.swapon("/rw/swap", 0x80000) == FsKernel::error(Errno::kEINVAL));
  CHECK(machine.swap().area_count() == 0);
}

TEST_CASE("swapon: what a mapping has stored is in the area's header") {
  SwapKernel machine;
  machine.put("root/rw/mapped", std::string(2 * 4096, 'x'));
  const int32_t fd = machine.open_file("/rw/mapped", OpenFlag::kReadWrite);
  const int32_t addr = machine.call(Nr::kMmap2, {0, 4096, 3, 1, static_cast<uint32_t>(fd), 0});
  std::array<std::byte, 4096> header;
  vm::make_swap_header(header, 2);
  REQUIRE(machine.task->user().write(VirtAddr(static_cast<uint32_t>(addr)), header));
  CHECK(machine.swapon("/rw/mapped") == 0);
}

TEST_CASE("swapon: an area's file is not to be changed or removed") {
  SwapKernel machine;
  const int32_t fd = machine.open_file("/rw/swap", OpenFlag::kReadWrite);
  REQUIRE(machine.swapon("/rw/swap") == 0);
  const uint32_t page = machine.fresh(1);
  const auto busy = FsKernel::error(Errno::kETXTBSY), forbidden = FsKernel::error(Errno::kEPERM);
  CHECK(machine.call(Nr::kWrite, {static_cast<uint32_t>(fd), page, 10}) == busy);
  CHECK(machine.call(kTruncate, {machine.string("/rw/swap"), 4096}) == busy);
  CHECK(machine.open_file("/rw/swap", OpenFlag::kReadWrite | OpenFlag::kTruncate) == busy);
  CHECK(machine.call(Nr::kUnlink, {machine.string("/rw/swap")}) == forbidden);
  CHECK(machine.call(kRename, {machine.string("/rw/swap"), machine.string("/rw/other")}) == forbidden);
  CHECK(machine.call(kRename, {machine.string("/rw/file"), machine.string("/rw/swap")}) == forbidden);
  CHECK(machine.call(Nr::kMmap2, {0, 4096, 3, 1, static_cast<uint32_t>(fd), 0}) == busy);
  CHECK(static_cast<uint32_t>(machine.call(Nr::kMmap2, {0, 4096, 1, 1, static_cast<uint32_t>(fd), 0})) < 0xc0000000);
  CHECK(machine.host_text("root/rw/swap") == area_of(21));
  REQUIRE(machine.swapoff("/rw/swap") == 0);
  CHECK(machine.call(Nr::kWrite, {static_cast<uint32_t>(fd), page, 10}) == 10);
  CHECK(machine.call(Nr::kUnlink, {machine.string("/rw/swap")}) == 0);
}

TEST_CASE("swap file: a page that the file has no more is an I/O error, and the file does not grow") {
  SwapKernel machine;
  REQUIRE(machine.swapon("/rw/swap") == 0);
  std::array<std::byte, 4096> page;
  page.fill(std::byte{0x5a});
  const vm::SwapEntry first = *machine.swap().get_swap_page();
  vm::SwapEntry last = first;
  while (const auto entry = machine.swap().get_swap_page()) {
    last = *entry;
  }
  CHECK(machine.swap().write_page(last, page));
  CHECK(machine.host_text("root/rw/swap").substr(20 * 4096) == std::string(4096, '\x5a'));
  std::filesystem::resize_file(machine.base / "root/rw/swap", 3 * 4096 + 100);
  CHECK(machine.swap().write_page(last, page).error() == Errno::kEIO);
  CHECK(machine.swap().read_page(last, page).error() == Errno::kEIO);
  CHECK(machine.swap().write_page({0, 3}, page).error() == Errno::kEIO);
  CHECK(machine.swap().write_page(first, page));
  CHECK(std::filesystem::file_size(machine.base / "root/rw/swap") == 3 * 4096 + 100);
}

TEST_CASE("swap file: a temporary one has no name and no blocks until it is written") {
  SwapKernel machine;
  ::setenv("TMPDIR", (machine.base / "outside").c_str(), 1);
  const auto made = make_swap_file(uint64_t{1} << 30);
  ::unsetenv("TMPDIR");
  REQUIRE(made);
  CHECK(std::distance(std::filesystem::directory_iterator(machine.base / "outside"), {}) == 1);  // "secret"
  CHECK((*made)->pages() == 1 << 18);
  CHECK((*made)->kind() == vm::SwapKind::kPartition);
  CHECK(vm::read_swap_header(**made)->usable() == (1 << 18) - 1);
  std::array<std::byte, 4096> page;
  page.fill(std::byte{1});
  CHECK((*made)->write_page((1 << 18) - 1, page));
  page.fill(std::byte{2});
  CHECK((*made)->read_page((1 << 18) - 1, page));
  CHECK(page[4095] == std::byte{1});
  CHECK((*made)->read_page(77, page));
  CHECK(page[0] == std::byte{0});
  CHECK((*made)->read_page(1 << 18, page).error() == Errno::kEIO);
  CHECK((*made)->write_page(1 << 18, page).error() == Errno::kEIO);
  ::setenv("TMPDIR", "/nowhere", 1);
  CHECK_FALSE(make_swap_file(1 << 20));
  ::unsetenv("TMPDIR");
}

TEST_CASE("swap file: one of the user's is checked, and used by one machine at a time") {
  SwapKernel machine;
  const std::string path = (machine.base / "root/rw/swap").string();
  {
    const auto opened = open_swap_file(path);
    REQUIRE(opened);
    CHECK(opened->name == std::filesystem::canonical(path).string());
    CHECK(opened->store->kind() == vm::SwapKind::kFile);
    CHECK(open_swap_file(path).error() == "in use by another process");
  }
  CHECK(open_swap_file(path));
  CHECK(open_swap_file(path + "2").error() == "No such file or directory");
  CHECK(open_swap_file((machine.base / "root/rw").string()).error() == "Is a directory");
  CHECK(open_swap_file((machine.base / "root/rw/file").string()).error().find("header") != std::string::npos);
  CHECK(open_swap_file("/dev/null").error() == "not a regular file");
  REQUIRE(::mkfifo((machine.base / "fifo").c_str(), 0600) == 0);
  CHECK(open_swap_file((machine.base / "fifo").string()).error() == "not a regular file");
  machine.put("root/rw/swap", std::string(5 * 4096, '\0'));
  CHECK(open_swap_file(path).error().find("signature") != std::string::npos);
}

}  // namespace fl::guest::test

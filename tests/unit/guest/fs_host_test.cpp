// Host files as the guest sees them: reading through the page cache, writing, sharing pages, directories, metadata.
#include <set>

#include "guest/fs/path.hpp"
#include "tests/unit/guest/fs_machine.hpp"

namespace fl::guest::test {
namespace {

namespace stdfs = std::filesystem;

class NameList final : public DirectorySink {
 public:
  explicit NameList(size_t room) : room_(room) {}
  bool add(const DirectoryEntry& entry) override {
    if (names.size() == room_) {
      return false;
    }
    names.emplace_back(entry.name);
    positions.push_back(entry.next);
    return true;
  }
  std::vector<std::string> names;
  std::vector<uint64_t> positions;

 private:
  size_t room_;
};

std::string pattern_text(size_t bytes) {
  std::string text(bytes, '\0');
  for (size_t i = 0; i < bytes; ++i) {
    text[i] = static_cast<char>('a' + (i / 7 + i / 4096) % 26);
  }
  return text;
}

}  // namespace

TEST_CASE("fs: a file larger than RAM can be read") {
  FsMachine machine(128);
  const std::string text = pattern_text(3u << 20);
  machine.put("root/ro/big", text);
  const auto file = machine.open("/ro/big");
  REQUIRE(file);
  std::string all;
  for (std::string part = FsMachine::read_all(**file); !part.empty(); part = FsMachine::read_all(**file)) {
    all += part;
  }
  CHECK(all == text);
}

TEST_CASE("fs: opening reads nothing, and every open shares the pages") {
  FsMachine machine;
  machine.put("root/ro/data", pattern_text(64 << 10));
  const auto one = machine.open("/ro/data");
  const auto two = machine.open("/ro/sub/../data");
  REQUIRE(one);
  REQUIRE(two);
  const auto mapped = (*one)->mapped_file().value();
  REQUIRE(mapped != nullptr);
  CHECK(mapped->mapping->cached_pages() == 0);
  CHECK(mapped != (*two)->mapped_file().value());  // one for each open file: only areas of the same one merge
  CHECK(mapped->mapping == (*two)->mapped_file().value()->mapping);
  CHECK(mapped == (*one)->mapped_file().value());
  CHECK(mapped->path == "/ro/data");
  CHECK_FALSE(mapped->writable);
  FsMachine::read_all(**one);
  CHECK(mapped->mapping->cached_pages() == 16);
}

TEST_CASE("fs: what is written is in the host file and in the cached pages") {
  FsMachine machine;
  machine.put("root/rw/data", std::string(10000, 'x'));
  const auto file = machine.open("/rw/data", OpenFlag::kReadWrite);
  REQUIRE(file);
  FsMachine::read_all(**file);
  const auto mapping = (*file)->mapped_file().value()->mapping;
  const uint32_t changed = machine.tlb.changed;
  (*file)->pos = 4090;
  REQUIRE(FsMachine::write(**file, "0123456789") == 10u);
  CHECK((*file)->pos == 4100);
  CHECK(machine.tlb.changed == changed + 2);  // two frames: code translated from them is stale
  std::string cached(10, '\0');
  REQUIRE(mapping->read(4090, std::as_writable_bytes(std::span(cached))) == 10u);
  CHECK(cached == "0123456789");
  CHECK(machine.host_text("root/rw/data").substr(4090, 10) == "0123456789");
  // Growing, with a hole.
  (*file)->pos = 20000;
  REQUIRE(FsMachine::write(**file, "end") == 3u);
  CHECK(mapping->size() == 20003);
  (*file)->pos = 9999;
  CHECK(FsMachine::read_all(**file) == "x" + std::string(10000, '\0') + "end");
}

TEST_CASE("fs: O_APPEND writes at the end, wherever the position is") {
  FsMachine machine;
  const auto file = machine.open("/rw/file", OpenFlag::kWriteOnly | OpenFlag::kAppend);
  REQUIRE(file);
  REQUIRE(FsMachine::write(**file, "more\n"));
  (*file)->pos = 0;
  REQUIRE(FsMachine::write(**file, "and more\n"));
  CHECK(machine.host_text("root/rw/file") == "old text\nmore\nand more\n");
}

TEST_CASE("fs: truncating drops pages and zeroes the tail") {
  FsMachine machine;
  machine.put("root/rw/data", std::string(3 * 4096, 'y'));
  const auto file = machine.open("/rw/data", OpenFlag::kReadWrite);
  REQUIRE(file);
  FsMachine::read_all(**file);
  const auto mapping = (*file)->mapped_file().value()->mapping;
  REQUIRE((*file)->truncate(5000));
  CHECK(mapping->cached_pages() == 2);
  REQUIRE((*file)->truncate(6000));
  (*file)->pos = 4990;
  CHECK(FsMachine::read_all(**file) == std::string(10, 'y') + std::string(1000, '\0'));
  CHECK(stdfs::file_size(machine.base / "root/rw/data") == 6000);
  REQUIRE(machine.open("/rw/data", OpenFlag::kWriteOnly | OpenFlag::kTruncate));
  CHECK(mapping->size() == 0);
}

TEST_CASE("fs: a host file that shrank gives a short read, one that grew gives its new end") {
  FsMachine machine;
  machine.put("root/ro/data", std::string(9000, 'z'));
  const auto file = machine.open("/ro/data");
  REQUIRE(file);
  stdfs::resize_file(machine.base / "root/ro/data", 100);
  CHECK(FsMachine::read_all(**file) == std::string(100, 'z'));
  std::ofstream(machine.base / "root/ro/data", std::ios::app) << "tail";
  CHECK(FsMachine::read_all(**file) == "tail");
}

TEST_CASE("fs: a file changed on the host is read again at the next open") {
  FsMachine machine;
  CHECK(machine.read_path("/ro/file") == "read-only text\n");
  machine.put("root/ro/file", "other text, longer\n");
  CHECK(machine.read_path("/ro/file") == "other text, longer\n");
}

TEST_CASE("fs: files that were closed keep few host descriptors") {
  FsMachine machine;
  for (int i = 0; i < 300; ++i) {
    machine.put("root/ro/n" + std::to_string(i), "x");
    REQUIRE(machine.read_path("/ro/n" + std::to_string(i)) == "x");
  }
  CHECK(machine.vfs->host().inodes().idle() <= 64);
}

TEST_CASE("fs: a new file gets the mode that is asked for, whatever the host's umask") {
  FsMachine machine;
  const mode_t old = ::umask(077);
  const auto file = machine.open("/rw/new", OpenFlag::kWriteOnly | OpenFlag::kCreate, 0664);
  const auto made = machine.vfs->mkdir(machine.at, "/rw/newdir/", 0751);
  ::umask(old);
  REQUIRE(file);
  REQUIRE(made);
  CHECK((machine.vfs->stat(machine.at, "/rw/new", Follow::kNo)->mode & 07777) == 0664);
  CHECK((machine.vfs->stat(machine.at, "/rw/newdir", Follow::kNo)->mode & 07777) == 0751);
}

TEST_CASE("fs: a directory is listed in the host's order and can be continued and rewound") {
  FsMachine machine;
  for (int i = 0; i < 500; ++i) {
    machine.put("root/ro/sub/entry-with-a-long-name-" + std::to_string(i), "");
  }
  std::vector<std::string> host{};
  for (const auto& entry : stdfs::directory_iterator(machine.base / "root/ro/sub")) {
    host.push_back(entry.path().filename());
  }
  const auto file = machine.open("/ro/sub", OpenFlag::kDirectory);
  REQUIRE(file);
  std::vector<std::string> seen;
  std::vector<uint64_t> positions;
  while (true) {
    NameList list(7);
    REQUIRE((*file)->list(list));
    if (list.names.empty()) {
      break;
    }
    seen.insert(seen.end(), list.names.begin(), list.names.end());
    positions.insert(positions.end(), list.positions.begin(), list.positions.end());
  }
  CHECK(seen.size() == 502);
  for (const uint64_t position : positions) {
    CHECK(position <= 0x7fffffff);
  }
  std::vector<std::string> without_dots;
  for (const std::string& name : seen) {
    if (name != "." && name != "..") {
      without_dots.push_back(name);
    }
  }
  CHECK(without_dots == host);
  REQUIRE((*file)->seek(static_cast<int64_t>(positions[99]), Whence::kSet));
  NameList again(1);
  REQUIRE((*file)->list(again));
  CHECK(again.names.front() == seen[100]);
  REQUIRE((*file)->seek(0, Whence::kSet));
  NameList first(1);
  REQUIRE((*file)->list(first));
  CHECK(first.names.front() == seen[0]);
}

TEST_CASE("fs: lseek answers as Linux does") {
  FsMachine machine;
  const auto file = machine.open("/ro/file");
  REQUIRE(file);
  OpenFile& f = **file;
  CHECK(f.seek(0, Whence::kEnd) == 15u);
  CHECK(f.seek(-5, Whence::kCurrent) == 10u);
  CHECK(f.seek(-11, Whence::kCurrent).error() == Errno::kEINVAL);
  CHECK(f.pos == 10);
  CHECK(f.seek(100, Whence::kSet) == 100u);
  CHECK(FsMachine::read_all(f).empty());
  CHECK(f.seek(15, Whence::kData).error() == Errno::kENXIO);
  CHECK(f.seek(0, 9).error() == Errno::kEINVAL);
}

TEST_CASE("fs: rename and unlink are seen by open files and working directories") {
  FsMachine machine;
  Vfs& vfs = *machine.vfs;
  const auto directory = vfs.directory(machine.at, "/rw/sub");
  REQUIRE(directory);
  machine.put("root/rw/sub/inner", "inner");
  const auto file = machine.open("/rw/sub/inner");
  REQUIRE(file);
  REQUIRE(vfs.rename(machine.at, "/rw/sub", machine.at, "/rw/moved", 0));
  CHECK((*directory)->text() == "/rw/moved");
  CHECK((*file)->path()->text() == "/rw/moved/inner");
  const At inside{*directory, {}};
  CHECK(vfs.stat(inside, "inner", Follow::kYes)->size == 5);
  CHECK(vfs.stat(inside, "../file", Follow::kYes)->size == 9);
  REQUIRE(vfs.remove(inside, "inner", RemoveKind::kFile));
  CHECK((*file)->path()->shown() == "/rw/moved/inner (deleted)");
  CHECK(FsMachine::read_all(**file) == "inner");
  REQUIRE(vfs.remove(machine.at, "/rw/moved", RemoveKind::kDirectory));
  CHECK((*directory)->deleted);
  CHECK(vfs.stat(inside, "x", Follow::kYes).error() == Errno::kENOENT);
  CHECK(vfs.stat(inside, "../file", Follow::kYes)->size == 9);
  // Exchange: both keep their files.
  machine.put("root/rw/a", "aa");
  machine.put("root/rw/b", "bbb");
  const auto a = machine.open("/rw/a");
  const auto b = machine.open("/rw/b");
  REQUIRE(vfs.rename(machine.at, "/rw/a", machine.at, "/rw/b", 2));
  CHECK((*a)->path()->text() == "/rw/b");
  CHECK((*b)->path()->text() == "/rw/a");
  CHECK(vfs.rename(machine.at, "/rw/a", machine.at, "/rw/b", 1).error() == Errno::kEEXIST);
}

TEST_CASE("fs: the last component of a path is judged as Linux does") {
  FsMachine machine;
  Vfs& vfs = *machine.vfs;
  const At& at = machine.at;
  stdfs::create_symlink("file", machine.base / "root/rw/link");
  stdfs::create_symlink("sub", machine.base / "root/rw/dirlink");
  stdfs::create_symlink("loop", machine.base / "root/rw/loop");
  CHECK(vfs.stat(at, "", Follow::kYes).error() == Errno::kENOENT);
  CHECK(vfs.stat(at, "/rw/file/", Follow::kYes).error() == Errno::kENOTDIR);
  CHECK(vfs.stat(at, "/rw/file/..", Follow::kYes).error() == Errno::kENOTDIR);
  CHECK(vfs.stat(at, "/rw/none/..", Follow::kYes).error() == Errno::kENOENT);
  CHECK(vfs.stat(at, "/rw/loop", Follow::kYes).error() == Errno::kELOOP);
  CHECK(vfs.stat(at, "/rw/loop", Follow::kNo)->is_symlink());
  CHECK(vfs.stat(at, "/rw/dirlink", Follow::kNo)->is_symlink());
  CHECK(vfs.stat(at, "/rw/dirlink/", Follow::kNo)->is_directory());
  CHECK(vfs.stat(at, "//rw///file", Follow::kYes)->size == 9);
  CHECK(vfs.stat(at, std::string(300, 'n'), Follow::kYes).error() == Errno::kENAMETOOLONG);
  CHECK(vfs.readlink(at, "/rw/link") == "file");
  CHECK(vfs.readlink(at, "/rw/file").error() == Errno::kEINVAL);
  CHECK(machine.open_error("/rw/link", OpenFlag::kNoFollow) == Errno::kELOOP);
  CHECK(machine.open_error("/rw/file", OpenFlag::kDirectory) == Errno::kENOTDIR);
  CHECK(machine.open_error("/rw/sub", OpenFlag::kWriteOnly) == Errno::kEISDIR);
  CHECK(machine.open_error("/rw/sub", OpenFlag::kCreate) == Errno::kEISDIR);
  CHECK(machine.open_error("/rw/new/", OpenFlag::kCreate | OpenFlag::kWriteOnly) == Errno::kEISDIR);
  CHECK(machine.open_error("/rw/link", OpenFlag::kCreate | OpenFlag::kExclusive) == Errno::kEEXIST);
  CHECK(vfs.mkdir(at, "/", 0755).error() == Errno::kEEXIST);
  CHECK(vfs.remove(at, "/rw/.", RemoveKind::kDirectory).error() == Errno::kEINVAL);
  CHECK(vfs.remove(at, "/rw/sub/..", RemoveKind::kDirectory).error() == Errno::kENOTEMPTY);
  CHECK(vfs.remove(at, "/rw/sub", RemoveKind::kFile).error() == Errno::kEISDIR);
  CHECK(vfs.remove(at, "/rw/file", RemoveKind::kDirectory).error() == Errno::kENOTDIR);
  CHECK(vfs.remove(at, "/rw/file/", RemoveKind::kFile).error() == Errno::kENOTDIR);
  CHECK(vfs.rename(at, "/rw/sub/.", at, "/rw/x", 0).error() == Errno::kEBUSY);
  CHECK(vfs.symlink(at, "/rw/new/", "x").error() == Errno::kENOENT);
  CHECK(vfs.remove(at, "/proc", RemoveKind::kDirectory).error() == Errno::kEBUSY);
  REQUIRE(machine.open("/rw/link", OpenFlag::kCreate | OpenFlag::kWriteOnly));
  stdfs::create_symlink("made", machine.base / "root/rw/dangling");
  REQUIRE(machine.open("/rw/dangling", OpenFlag::kCreate | OpenFlag::kWriteOnly));
  CHECK(stdfs::exists(machine.base / "root/rw/made"));
}

TEST_CASE("fs: only regular files with an x bit can be executed") {
  FsMachine machine;
  CHECK(machine.vfs->open_exec(machine.at, "/rw/file").error() == Errno::kEACCES);
  CHECK(machine.vfs->open_exec(machine.at, "/rw/sub").error() == Errno::kEACCES);
  CHECK(machine.vfs->open_exec(machine.at, "/rw/none").error() == Errno::kENOENT);
  stdfs::permissions(machine.base / "root/rw/file", stdfs::perms::owner_exec, stdfs::perm_options::add);
  const auto file = machine.vfs->open_exec(machine.at, "/rw/file");
  REQUIRE(file);
  CHECK((*file)->mapped_file().has_value());
}

TEST_CASE("fs: times and modes are set below --rw") {
  FsMachine machine;
  Vfs& vfs = *machine.vfs;
  TimeChanges times;
  times.access = {TimeChange::Kind::kOmit, {}};
  times.modification = {TimeChange::Kind::kSet, {1234567890, 987654321}};
  REQUIRE(vfs.set_times(machine.at, "/rw/file", times, Follow::kYes));
  REQUIRE(vfs.chmod(machine.at, "/rw/file", 0600, Follow::kYes));
  const auto stat = vfs.stat(machine.at, "/rw/file", Follow::kYes);
  CHECK(stat->mtime.seconds == 1234567890);
  CHECK(stat->mtime.nanoseconds == 987654321);
  CHECK((stat->mode & 07777) == 0600);
}

TEST_CASE("fs: the path helpers take strings apart") {
  std::string_view rest = "//a/b//";
  CHECK(next_component(rest) == "a");
  CHECK(next_component(rest) == "b");
  CHECK(rest == "//");
  CHECK_FALSE(has_component(rest));
  CHECK(next_component(rest).empty());
  CHECK(last_component("a/b/") == LastComponent::kNormal);
  CHECK(last_component("///") == LastComponent::kRoot);
  CHECK(last_component("a/./") == LastComponent::kDot);
  CHECK(last_component("..") == LastComponent::kDotDot);
  CHECK(path_is_below("/proc/x", "/proc"));
  CHECK_FALSE(path_is_below("/process", "/proc"));
}

}  // namespace fl::guest::test

// The guest's own /tmp: what it holds, whom it lets do what, and that all of it is simulated memory.
#include <algorithm>
#include <set>

#include "guest/fs/permission.hpp"
#include "guest/fs/tmpfs/tmpfs_file.hpp"
#include "tests/unit/guest/fs_machine.hpp"
#include "vm/info/totals.hpp"
#include "vm/verify/census.hpp"

namespace fl::guest::test {
namespace {

constexpr uint32_t kCreate = OpenFlag::kReadWrite | OpenFlag::kCreate;

Credentials user(uint32_t id) {
  Credentials cred;
  cred.uid = cred.euid = cred.suid = cred.fsuid = id;
  cred.gid = cred.egid = cred.sgid = cred.fsgid = id;
  return cred;
}

std::string all_of(FsMachine& machine, std::string_view path) { return machine.read_path(path); }

void put(FsMachine& machine, std::string_view path, const std::string& text) {
  const auto file = machine.open(path, kCreate | OpenFlag::kTruncate);
  REQUIRE(file);
  REQUIRE(FsMachine::write(**file, text) == text.size());
}

FileStat stat_of(FsMachine& machine, std::string_view path) {
  const auto stat = machine.vfs->stat(machine.at, path, Follow::kNo);
  REQUIRE(stat);
  return *stat;
}

}  // namespace

TEST_CASE("tmpfs: files, directories and links") {
  FsMachine machine;
  Vfs& vfs = *machine.vfs;
  const At& at = machine.at;
  put(machine, "/tmp/file", "some text");
  CHECK(all_of(machine, "/tmp/file") == "some text");
  CHECK_FALSE(std::filesystem::exists(machine.base / "root/tmp"));
  CHECK(stat_of(machine, "/tmp/file").size == 9);
  CHECK(stat_of(machine, "/tmp/file").blocks == 8);
  CHECK(stat_of(machine, "/tmp").mode == (FileMode::kDirectory | 01777));
  CHECK(stat_of(machine, "/dev/shm").mode == (FileMode::kDirectory | 01777));
  CHECK(stat_of(machine, "/dev/shm").dev != stat_of(machine, "/tmp").dev);

  REQUIRE(vfs.mkdir(at, "/tmp/one", 0755));
  CHECK(vfs.mkdir(at, "/tmp/one", 0755).error() == Errno::kEEXIST);
  CHECK(vfs.mkdir(at, "/tmp/none/two", 0755).error() == Errno::kENOENT);
  CHECK(vfs.mkdir(at, "/tmp/file/two", 0755).error() == Errno::kENOTDIR);
  REQUIRE(vfs.mkdir(at, "/tmp/one/two", 0755));
  CHECK(stat_of(machine, "/tmp/one").nlink == 3);
  CHECK(stat_of(machine, "/tmp/one").size == 60);
  REQUIRE(vfs.symlink(at, "/tmp/link", "one/two"));
  CHECK(vfs.readlink(at, "/tmp/link") == "one/two");
  put(machine, "/tmp/link/inside", "x");
  CHECK(all_of(machine, "/tmp/one/two/../two/inside") == "x");
  REQUIRE(vfs.symlink(at, "/tmp/out", "/ro/file"));
  CHECK(all_of(machine, "/tmp/out") == "read-only text\n");
  CHECK(vfs.symlink(at, "/tmp/loop", "loop").has_value());
  CHECK(machine.open_error("/tmp/loop") == Errno::kELOOP);

  REQUIRE(vfs.link(at, "/tmp/file", at, "/tmp/one/hard", Follow::kNo));
  CHECK(stat_of(machine, "/tmp/one/hard").ino == stat_of(machine, "/tmp/file").ino);
  CHECK(stat_of(machine, "/tmp/file").nlink == 2);
  CHECK(vfs.link(at, "/tmp/file", at, "/rw/hard", Follow::kNo).error() == Errno::kEXDEV);
  CHECK(vfs.link(at, "/tmp/one", at, "/tmp/other", Follow::kNo).error() == Errno::kEPERM);
  REQUIRE(vfs.remove(at, "/tmp/file", RemoveKind::kFile));
  CHECK(all_of(machine, "/tmp/one/hard") == "some text");

  CHECK(vfs.remove(at, "/tmp/one", RemoveKind::kDirectory).error() == Errno::kENOTEMPTY);
  CHECK(vfs.remove(at, "/tmp/one", RemoveKind::kFile).error() == Errno::kEISDIR);
  CHECK(vfs.remove(at, "/tmp/link", RemoveKind::kDirectory).error() == Errno::kENOTDIR);
  CHECK(vfs.remove(at, "/tmp", RemoveKind::kDirectory).error() == Errno::kEBUSY);
  CHECK(machine.open_error("/tmp/one", OpenFlag::kWriteOnly) == Errno::kEISDIR);
  CHECK(machine.open_error("/tmp/" + std::string(256, 'n'), kCreate) == Errno::kENAMETOOLONG);
  CHECK(machine.open("/tmp/" + std::string(255, 'n'), kCreate).has_value());
  CHECK(vfs.statfs(at, "/tmp")->type == 0x01021994);
}

TEST_CASE("tmpfs: a directory is listed newest first, and listing survives changes") {
  FsMachine machine;
  for (const char* name : {"a", "b", "c", "d"}) {
    put(machine, "/tmp/" + std::string(name), name);
  }
  CHECK(machine.names_in("/tmp") == std::vector<std::string>{".", "..", "d", "c", "b", "a"});
  // One entry at a time, each removed as soon as it is seen: as rm -r does it.
  class One final : public DirectorySink {
   public:
    bool add(const DirectoryEntry& entry) override {
      if (!name.empty()) {
        return false;
      }
      name = entry.name;
      return true;
    }
    std::string name;
  };
  const auto directory = machine.open("/tmp").value();
  std::vector<std::string> seen;
  while (true) {
    One sink;
    REQUIRE(directory->list(sink));
    if (sink.name.empty()) {
      break;
    }
    seen.push_back(sink.name);
    if (sink.name.front() != '.') {
      REQUIRE(machine.vfs->remove(machine.at, "/tmp/" + sink.name, RemoveKind::kFile));
      put(machine, "/tmp/new" + sink.name, "x");
    }
  }
  CHECK(seen == std::vector<std::string>{".", "..", "d", "c", "b", "a"});
  CHECK(machine.names_in("/tmp").size() == 6);
}

TEST_CASE("tmpfs: rename in all its forms") {
  FsMachine machine;
  Vfs& vfs = *machine.vfs;
  const At& at = machine.at;
  constexpr uint32_t kNoReplace = 1, kExchange = 2;
  put(machine, "/tmp/a", "A");
  put(machine, "/tmp/b", "B");
  REQUIRE(vfs.mkdir(at, "/tmp/d", 0755));
  REQUIRE(vfs.mkdir(at, "/tmp/d/e", 0755));
  CHECK(vfs.rename(at, "/tmp/a", at, "/tmp/b", kNoReplace).error() == Errno::kEEXIST);
  CHECK(vfs.rename(at, "/tmp/a", at, "/tmp/none", kExchange).error() == Errno::kENOENT);
  CHECK(vfs.rename(at, "/tmp/none", at, "/tmp/b", 0).error() == Errno::kENOENT);
  CHECK(vfs.rename(at, "/tmp/a", at, "/tmp/d", 0).error() == Errno::kEISDIR);
  CHECK(vfs.rename(at, "/tmp/d", at, "/tmp/a", 0).error() == Errno::kENOTDIR);
  CHECK(vfs.rename(at, "/tmp/d", at, "/tmp/d/e/f", 0).error() == Errno::kEINVAL);
  CHECK(vfs.rename(at, "/tmp/d/e", at, "/tmp/d", 0).error() == Errno::kENOTEMPTY);
  CHECK(vfs.rename(at, "/tmp/a", at, "/rw/a", 0).error() == Errno::kEXDEV);
  REQUIRE(vfs.rename(at, "/tmp/a", at, "/tmp/b", kExchange));
  CHECK(all_of(machine, "/tmp/a") == "B");
  CHECK(all_of(machine, "/tmp/b") == "A");
  REQUIRE(vfs.rename(at, "/tmp/a", at, "/tmp/d", kExchange));
  CHECK(all_of(machine, "/tmp/d") == "B");
  CHECK(stat_of(machine, "/tmp/a/e").is_directory());
  const auto held = machine.open("/tmp/b").value();
  REQUIRE(vfs.rename(at, "/tmp/d", at, "/tmp/b", 0));
  CHECK(FsMachine::read_all(*held) == "A");
  CHECK(held->stat()->nlink == 0);
  CHECK(held->path()->deleted);
  CHECK(all_of(machine, "/tmp/b") == "B");
  // A directory over an empty one, into another directory: link counts follow.
  REQUIRE(vfs.mkdir(at, "/tmp/x", 0755));
  REQUIRE(vfs.mkdir(at, "/tmp/a/x", 0755));
  CHECK(stat_of(machine, "/tmp/a").nlink == 4);
  REQUIRE(vfs.rename(at, "/tmp/a/x", at, "/tmp/x", 0));
  CHECK(stat_of(machine, "/tmp/a").nlink == 3);
  // Two names of one file: nothing happens.
  REQUIRE(vfs.link(at, "/tmp/b", at, "/tmp/b2", Follow::kNo));
  REQUIRE(vfs.rename(at, "/tmp/b", at, "/tmp/b2", 0));
  CHECK(stat_of(machine, "/tmp/b").nlink == 2);
}

TEST_CASE("tmpfs: rights are the caller's") {
  FsMachine machine;
  Vfs& vfs = *machine.vfs;
  const Credentials alice = user(1001), bob = user(1002);
  const At as_alice{vfs.root(), {1, 1, &alice}}, as_bob{vfs.root(), {1, 1, &bob}}, root = machine.at;
  const auto open = [&](const At& at, const char* path, uint32_t flags) {
    return vfs.open(at, path, flags | OpenFlag::kLargeFile, 0640);
  };
  REQUIRE(open(as_alice, "/tmp/hers", kCreate));
  CHECK(stat_of(machine, "/tmp/hers").uid == 1001);
  CHECK(open(as_bob, "/tmp/hers", OpenFlag::kReadOnly).error() == Errno::kEACCES);
  CHECK(open(root, "/tmp/hers", OpenFlag::kReadWrite).has_value());
  // The sticky bit of /tmp.
  CHECK(vfs.remove(as_bob, "/tmp/hers", RemoveKind::kFile).error() == Errno::kEPERM);
  CHECK(vfs.rename(as_bob, "/tmp/hers", as_bob, "/tmp/his", 0).error() == Errno::kEPERM);
  REQUIRE(vfs.chmod(as_alice, "/tmp/hers", 0644, Follow::kYes));
  CHECK(open(as_bob, "/tmp/hers", OpenFlag::kReadOnly).has_value());
  CHECK(open(as_bob, "/tmp/hers", OpenFlag::kWriteOnly).error() == Errno::kEACCES);
  CHECK(open(as_bob, "/tmp/hers", OpenFlag::kReadOnly | OpenFlag::kTruncate).error() == Errno::kEACCES);
  CHECK(open(as_bob, "/tmp/hers", OpenFlag::kReadOnly | OpenFlag::kNoAtime).error() == Errno::kEPERM);
  CHECK(vfs.chmod(as_bob, "/tmp/hers", 0777, Follow::kYes).error() == Errno::kEPERM);
  CHECK(vfs.chown(as_alice, "/tmp/hers", 1002, ~0u, Follow::kYes).error() == Errno::kEPERM);
  CHECK(vfs.chown(as_alice, "/tmp/hers", ~0u, 1001, Follow::kYes).has_value());
  CHECK(vfs.truncate(as_bob, "/tmp/hers", 0).error() == Errno::kEACCES);
  const TimeChanges now{};
  CHECK(vfs.set_times(as_bob, "/tmp/hers", now, Follow::kYes).error() == Errno::kEACCES);
  CHECK(vfs.set_times(as_bob, "/tmp/hers", {{TimeChange::Kind::kSet, {1, 2}}, {}}, Follow::kYes).error() ==
        Errno::kEPERM);
  CHECK(vfs.set_times(as_alice, "/tmp/hers", {{TimeChange::Kind::kSet, {1, 2}}, {}}, Follow::kYes).has_value());
  CHECK(stat_of(machine, "/tmp/hers").atime.seconds == 1);
  // A directory without search permission, and one with a group of its own.
  REQUIRE(vfs.mkdir(as_alice, "/tmp/closed", 0700));
  CHECK(open(as_bob, "/tmp/closed/x", OpenFlag::kReadOnly).error() == Errno::kEACCES);
  CHECK(vfs.access(as_bob, "/tmp/closed", 1, Follow::kYes).error() == Errno::kEACCES);
  REQUIRE(vfs.mkdir(root, "/tmp/group", 0777));
  REQUIRE(vfs.chown(root, "/tmp/group", ~0u, 7, Follow::kYes));
  REQUIRE(vfs.chmod(root, "/tmp/group", 02777, Follow::kYes));
  REQUIRE(vfs.mkdir(as_bob, "/tmp/group/sub", 0755));
  CHECK(stat_of(machine, "/tmp/group/sub").gid == 7);
  CHECK(stat_of(machine, "/tmp/group/sub").mode == (FileMode::kDirectory | 02755));
}

TEST_CASE("tmpfs: sizes, holes and preallocation") {
  FsMachine machine;
  const auto file = machine.open("/tmp/file", kCreate).value();
  constexpr uint32_t kKeepSize = 1, kPunchHole = 2;
  REQUIRE(file->truncate(10 * kPageSize + 1));
  CHECK(file->stat()->blocks == 0);
  file->pos = 5 * kPageSize + 10;
  REQUIRE(FsMachine::write(*file, "data"));
  CHECK(file->stat()->blocks == 8);
  CHECK(file->seek(0, Whence::kData) == 5 * kPageSize);
  CHECK(file->seek(5 * kPageSize + 1, Whence::kHole) == 6 * kPageSize);
  CHECK(file->seek(6 * kPageSize, Whence::kData).error() == Errno::kENXIO);
  CHECK(file->seek(0, Whence::kHole) == 0);
  CHECK(file->seek(20 * kPageSize, Whence::kHole).error() == Errno::kENXIO);
  REQUIRE(file->allocate(kKeepSize, 0, 20 * kPageSize));
  CHECK(file->stat()->blocks == 20 * 8);
  CHECK(file->stat()->size == 10 * kPageSize + 1);
  // What is only allocated reads as a hole, and stays one.
  CHECK(file->seek(0, Whence::kData) == 5 * kPageSize);
  file->pos = 0;
  CHECK(FsMachine::read_all(*file).substr(0, kPageSize) == std::string(kPageSize, 0));
  CHECK(file->seek(0, Whence::kData) == 5 * kPageSize);
  CHECK(file->seek(5 * kPageSize, Whence::kHole) == 6 * kPageSize);
  CHECK(file->allocate(kPunchHole, 0, 1).error() == Errno::kEOPNOTSUPP);
  CHECK(file->allocate(0x10, 0, 1).error() == Errno::kEOPNOTSUPP);
  REQUIRE(file->allocate(kPunchHole | kKeepSize, 5 * kPageSize + 12, 2 * kPageSize));
  file->pos = 5 * kPageSize + 10;
  const std::string text = FsMachine::read_all(*file).substr(0, 4);
  CHECK(text == std::string("da\0\0", 4));
  CHECK(file->stat()->blocks == 19 * 8);
  REQUIRE(file->allocate(0, 0, 12 * kPageSize));
  CHECK(file->stat()->size == 12 * kPageSize);
  REQUIRE(file->truncate(3));
  CHECK(file->stat()->blocks == 8);
}

TEST_CASE("tmpfs: half of RAM and no more") {
  FsMachine machine;
  const uint64_t pages = vm::memory_totals(*machine.memory).managed / 2;
  const auto stat = machine.vfs->statfs(machine.at, "/tmp").value();
  CHECK(stat.blocks == pages);
  CHECK(stat.blocks_free == pages);
  const auto file = machine.open("/tmp/big", kCreate).value();
  CHECK(file->allocate(0, 0, (pages + 1) * kPageSize).error() == Errno::kENOSPC);
  CHECK(machine.vfs->statfs(machine.at, "/tmp")->blocks_free == pages);
  REQUIRE(file->allocate(0, 0, (pages - 1) * kPageSize));
  file->pos = (pages - 1) * kPageSize;
  // One page fits; the write that wants two is short, the next one fails.
  CHECK(FsMachine::write(*file, std::string(2 * kPageSize, 'x')) == kPageSize);
  CHECK(FsMachine::write(*file, "x").error() == Errno::kENOSPC);
  CHECK(file->allocate(0, 0, (pages + 1) * kPageSize).error() == Errno::kENOSPC);
  CHECK(machine.vfs->statfs(machine.at, "/tmp")->blocks_free == 0);
  // What is open stays when its name goes.
  REQUIRE(machine.vfs->remove(machine.at, "/tmp/big", RemoveKind::kFile));
  CHECK(machine.vfs->statfs(machine.at, "/tmp")->blocks_free == 0);
  REQUIRE(file->truncate(0));
  CHECK(machine.vfs->statfs(machine.at, "/tmp")->blocks_free == pages);
  // Inodes have a limit too.
  uint64_t made = 0;
  Errno error{};
  while (true) {
    const auto next = machine.open("/tmp/f" + std::to_string(made), kCreate);
    if (!next) {
      error = next.error();
      break;
    }
    ++made;
  }
  CHECK(error == Errno::kENOSPC);
  CHECK(machine.vfs->statfs(machine.at, "/tmp")->files_free <= 1);
}

TEST_CASE("tmpfs: what is in it is simulated memory, and all of it can be had not") {
  FsMachine machine;
  machine.vfs->drop_caches();
  const auto before = vm::take_census(*machine.memory);
  const auto work = [&]() -> Status {
    Vfs& vfs = *machine.vfs;
    const At& at = machine.at;
    FL_TRY(vfs.mkdir(at, "/tmp/d", 0755));
    FL_TRY(vfs.mkdir(at, "/tmp/d/e", 0755));
    FL_TRY(vfs.symlink(at, "/tmp/d/link", "e"));
    FL_TRY(vfs.mknod(at, "/tmp/d/fifo", FileMode::kFifo | 0644));
    FL_TRY_ASSIGN(const auto file, machine.open("/tmp/d/file", kCreate));
    FL_TRY(FsMachine::write(*file, std::string(3 * kPageSize, 'x')));
    FL_TRY(vfs.link(at, "/tmp/d/file", at, "/tmp/d/e/hard", Follow::kNo));
    FL_TRY(vfs.rename(at, "/tmp/d/file", at, "/tmp/d/e/file", 0));
    FL_TRY(vfs.rename(at, "/tmp/d/e/file", at, "/tmp/d/link", 2));
    FL_TRY(machine.open("/tmp/d/fifo", OpenFlag::kReadOnly | OpenFlag::kNonBlock));
    FL_TRY_ASSIGN(const auto memfd, make_memfd(vfs.unnamed_files(), {}, vfs.root(), 0));
    return memfd->truncate(10);
  };
  int failed = 0;
  for (uint64_t n = 1;; ++n) {
    REQUIRE(n < 500);
    machine.memory->pages().fail_alloc().fail_nth(n);
    const Status done = work();
    const bool met = !machine.memory->pages().fail_alloc().armed();
    machine.memory->pages().fail_alloc().off();
    machine.vfs->empty_tmpfs();
    const auto lost = vm::differences_since_boot(before, vm::take_census(*machine.memory));
    INFO("allocation " << n << (lost.empty() ? "" : ": " + lost.front()));
    CHECK(lost.empty());
    if (!met) {
      CHECK(done.has_value());
      break;
    }
    if (!done) {
      ++failed;
      CHECK((done.error() == Errno::kENOMEM || done.error() == Errno::kENOSPC));
    }
  }
  CHECK(failed > 25);
}

TEST_CASE("tmpfs: a very deep tree is taken apart without recursion") {
  FsMachine machine(4096);
  const auto before = vm::take_census(*machine.memory);
  At at = machine.at;
  at.directory = machine.vfs->directory(machine.at, "/tmp").value();
  for (int depth = 0; depth < 300; ++depth) {
    REQUIRE(machine.vfs->mkdir(at, "d", 0755));
    at.directory = machine.vfs->directory(at, "d").value();
  }
  at.directory = machine.vfs->root();
  machine.vfs->empty_tmpfs();
  CHECK(vm::differences_since_boot(before, vm::take_census(*machine.memory)).empty());
}

TEST_CASE("tmpfs: O_TMPFILE makes a file that may be given a name") {
  FsMachine machine;
  constexpr uint32_t kTmpFile = OpenFlag::kTmpFileBit | OpenFlag::kDirectory;
  const auto file = machine.open("/tmp", OpenFlag::kReadWrite | kTmpFile).value();
  REQUIRE(FsMachine::write(*file, "text"));
  CHECK(machine.names_in("/tmp").size() == 2);
  CHECK(file->stat()->nlink == 0);
  REQUIRE(machine.vfs->link_file(*file, machine.at, "/tmp/name"));
  CHECK(all_of(machine, "/tmp/name") == "text");
  CHECK(machine.vfs->link_file(*file, machine.at, "/tmp/name").error() == Errno::kEEXIST);
  REQUIRE(machine.vfs->remove(machine.at, "/tmp/name", RemoveKind::kFile));
  CHECK(machine.vfs->link_file(*file, machine.at, "/tmp/name").error() == Errno::kENOENT);
  const auto never = machine.open("/tmp", OpenFlag::kReadWrite | kTmpFile | OpenFlag::kExclusive).value();
  CHECK(machine.vfs->link_file(*never, machine.at, "/tmp/name").error() == Errno::kENOENT);
  CHECK(machine.open_error("/rw", OpenFlag::kReadWrite | kTmpFile) == Errno::kEOPNOTSUPP);
}

TEST_CASE("tmpfs: nodes") {
  FsMachine machine;
  Vfs& vfs = *machine.vfs;
  const At& at = machine.at;
  REQUIRE(vfs.mknod(at, "/tmp/fifo", FileMode::kFifo | 0644));
  CHECK(stat_of(machine, "/tmp/fifo").type() == FileMode::kFifo);
  CHECK(vfs.mknod(at, "/tmp/null", FileMode::kCharacter | 0666).error() == Errno::kEPERM);
  REQUIRE(vfs.mknod(at, "/rw/fifo", FileMode::kFifo | 0666));
  CHECK(stat_of(machine, "/rw/fifo").type() == FileMode::kFifo);
  REQUIRE(vfs.mknod(at, "/tmp/socket", FileMode::kSocket | 0644));
  CHECK(machine.open_error("/tmp/socket") == Errno::kENXIO);
  const auto socket = vfs.socket_at(at, "/tmp/socket");
  REQUIRE(socket);
  CHECK(*socket == *vfs.socket_at(at, "/tmp/socket"));
  CHECK(vfs.socket_at(at, "/tmp/fifo").error() == Errno::kECONNREFUSED);
  CHECK(vfs.socket_at(at, "/tmp/none").error() == Errno::kENOENT);
  const Credentials bob = user(1002);
  CHECK(vfs.socket_at({vfs.root(), {1, 1, &bob}}, "/tmp/socket").error() == Errno::kEACCES);

  // A FIFO: an open waits for the other side; what it has while somebody has it open goes with the last.
  CHECK(machine.open_error("/tmp/fifo", OpenFlag::kWriteOnly | OpenFlag::kNonBlock) == Errno::kENXIO);
  auto reader = machine.open("/tmp/fifo").value();
  CHECK(reader->open_waits());
  auto writer = machine.open("/tmp/fifo", OpenFlag::kWriteOnly).value();
  CHECK_FALSE(writer->open_waits());
  CHECK_FALSE(reader->open_waits());
  writer.reset();
  CHECK_FALSE(reader->open_waits());  // it has come and gone
  CHECK((reader->poll() & PollEvent::kHup) != 0);
  const auto quiet = machine.open("/tmp/fifo", OpenFlag::kReadOnly | OpenFlag::kNonBlock).value();
  CHECK_FALSE(quiet->open_waits());
  CHECK((quiet->poll() & PollEvent::kHup) == 0);
  const auto both = machine.open("/tmp/fifo", OpenFlag::kReadWrite).value();
  CHECK_FALSE(both->open_waits());
  REQUIRE(FsMachine::write(*both, "through"));
  std::array<std::byte, 16> bytes;
  KernelBuffer buffer{bytes};
  CHECK(quiet->read(buffer, quiet->pos) == 7);
}

TEST_CASE("tmpfs: the host's directories that are asked for are seen through it") {
  FsMachine machine;
  namespace stdfs = std::filesystem;
  stdfs::create_directories(machine.base / "root/tmp/work/deep");
  stdfs::create_directories(machine.base / "root/tmp/granted");
  machine.put("root/tmp/work/deep/file", "host");
  machine.put("root/tmp/hidden", "host");
  machine.put("root/tmp/program", "elf");
  VfsOptions options;
  options.host = {(machine.base / "root").string(), {(machine.base / "root/tmp/granted").string()}};
  options.shown = {(machine.base / "root/tmp/work/deep").string(), (machine.base / "root/tmp").string(),
                   (machine.base / "root/tmp/program").string(), (machine.base / "root/ro").string(),
                   (machine.base / "root/tmp/none").string()};
  machine.vfs.reset();
  machine.at = {};
  auto made = Vfs::create(*machine.memory, options);
  REQUIRE(made);
  machine.vfs = std::move(*made);
  machine.at = {machine.vfs->root(), {}};
  Vfs& vfs = *machine.vfs;
  const At& at = machine.at;
  CHECK(all_of(machine, "/tmp/work/deep/file") == "host");
  CHECK(all_of(machine, "/tmp/program") == "elf");
  CHECK(machine.open_error("/tmp/hidden") == Errno::kENOENT);
  CHECK(machine.open_error("/tmp/none") == Errno::kENOENT);
  CHECK(machine.open_error("/tmp/work/deep/new", kCreate) == Errno::kEROFS);
  put(machine, "/tmp/granted/new", "stored");
  CHECK(machine.host_text("root/tmp/granted/new") == "stored");
  put(machine, "/tmp/work/beside", "in RAM");
  CHECK_FALSE(stdfs::exists(machine.base / "root/tmp/work/beside"));
  auto names = machine.names_in("/tmp");
  std::sort(names.begin(), names.end());
  CHECK(names == std::vector<std::string>{".", "..", "granted", "program", "work"});
  // Mount points, and what leads to them, stay.
  CHECK(vfs.remove(at, "/tmp/program", RemoveKind::kFile).error() == Errno::kEBUSY);
  CHECK(vfs.remove(at, "/tmp/granted", RemoveKind::kDirectory).error() == Errno::kEBUSY);
  CHECK(vfs.rename(at, "/tmp/work", at, "/tmp/other", 0).error() == Errno::kEBUSY);
  CHECK(vfs.rename(at, "/tmp/granted/new", at, "/tmp/new", 0).error() == Errno::kEXDEV);
  CHECK(vfs.link(at, "/tmp/granted/new", at, "/tmp/new", Follow::kNo).error() == Errno::kEXDEV);
  machine.vfs->empty_tmpfs();
  CHECK(all_of(machine, "/tmp/work/deep/file") == "host");
  CHECK(machine.open_error("/tmp/work/beside") == Errno::kENOENT);

  options.tmp = TmpKind::kHost;
  auto host = Vfs::create(*machine.memory, options);
  REQUIRE(host);
  CHECK((*host)->stat({(*host)->root(), {}}, "/tmp/hidden", Follow::kYes).has_value());
}

}  // namespace fl::guest::test

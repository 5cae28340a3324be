// No path leads out of the root, to the host's kernel file systems, to a device, or to a write outside --rw.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include <cstring>

#include "tests/unit/guest/fs_machine.hpp"

namespace fl::guest::test {
namespace {

namespace stdfs = std::filesystem;

std::string slurp_link(const FsMachine& machine, const std::string& name, const std::string& target) {
  stdfs::create_symlink(target, machine.base / name);
  return name;
}

}  // namespace

TEST_CASE("fs: .. at the root stays at the root") {
  FsMachine machine;
  CHECK(machine.open_error("/../outside/secret") == Errno::kENOENT);
  CHECK(machine.open_error("/../../../../../../etc/passwd") == Errno::kENOENT);
  CHECK(machine.read_path("/../../ro/../ro/file") == "read-only text\n");
  CHECK(machine.open_error("ro/sub/../../../outside/secret") == Errno::kENOENT);
}

TEST_CASE("fs: absolute symlinks begin at the guest's root, not the host's") {
  FsMachine machine;
  slurp_link(machine, "root/abs", (machine.base / "outside/secret").string());
  slurp_link(machine, "root/passwd", "/etc/passwd");
  slurp_link(machine, "root/inside", "/ro/file");
  CHECK(machine.open_error("/abs") == Errno::kENOENT);
  CHECK(machine.open_error("/passwd") == Errno::kENOENT);
  CHECK(machine.read_path("/inside") == "read-only text\n");
}

TEST_CASE("fs: relative symlinks with too many .. stay inside") {
  FsMachine machine;
  slurp_link(machine, "root/ro/rel", "../../outside/secret");
  slurp_link(machine, "root/ro/dir", "../../../..");
  CHECK(machine.open_error("/ro/rel") == Errno::kENOENT);
  CHECK(machine.open_error("/ro/dir/outside/secret") == Errno::kENOENT);
  CHECK(machine.read_path("/ro/dir/ro/file") == "read-only text\n");
}

TEST_CASE("fs: a symlink swapped in for a directory is not followed by the host") {
  // HostRoot is given a path that the Vfs took for canonical; meanwhile it became a link out.
  FsMachine machine;
  slurp_link(machine, "root/ro/swapped", (machine.base / "outside").string());
  HostRoot& root = machine.vfs->host().root();
  CHECK(root.find("ro/swapped/secret").error() == Errno::kELOOP);
  CHECK(root.open_file("ro/swapped/secret", O_RDONLY).error() == Errno::kELOOP);
  slurp_link(machine, "root/rw/swapped", "../ro");
  CHECK(root.create_file("rw/swapped/new", 0, 0644).error() == Errno::kELOOP);
  CHECK(root.open_file("rw/swapped/file", O_WRONLY).error() == Errno::kELOOP);
}

TEST_CASE("fs: the host's proc, sysfs and dev are not shown, whatever leads there") {
  FsMachine machine;
  auto whole = Vfs::create(*machine.memory, {{"/", {}}, {}});
  REQUIRE(whole);
  Vfs& vfs = **whole;
  const At at{vfs.root(), {}};
  const auto open = [&](const char* path) { return vfs.open(at, path, OpenFlag::kReadOnly, 0); };
  // The synthetic /proc knows no process 1 while there is no kernel, and no /proc/self/root.
  CHECK(open("/proc/1/maps").error() == Errno::kENOENT);
  CHECK_FALSE(open("/proc/self/root/etc/passwd").has_value());
  CHECK(open("/sys/kernel").error() == Errno::kENOENT);
  CHECK(open("/dev/mem").error() == Errno::kENOENT);
  CHECK(open("/dev/shm/x").error() == Errno::kENOENT);
  // Below the mounts that hide them, by descriptor.
  HostRoot& root = vfs.host().root();
  CHECK(root.find("proc").error() == Errno::kEACCES);
  CHECK(root.find("proc/self/status").error() != Errno::kENOENT);
  CHECK_FALSE(root.open_file("proc/self/environ", O_RDONLY).has_value());
  CHECK_FALSE(root.find("proc/self/root/etc/passwd").has_value());
  CHECK(root.find("sys").error() == Errno::kEACCES);
  struct stat dev {};
  struct stat slash {};
  REQUIRE(::stat("/dev", &dev) == 0);
  REQUIRE(::stat("/", &slash) == 0);
  if (dev.st_dev != slash.st_dev) {
    CHECK(root.find("dev/null").error() == Errno::kEACCES);
  }
}

TEST_CASE("fs: sockets and devices cannot be opened, and nothing goes through a FIFO of the host") {
  FsMachine machine;
  const std::string fifo = (machine.base / "root/rw/fifo").string();
  REQUIRE(::mkfifo(fifo.c_str(), 0666) == 0);
  // A blocked open would hang the test here; a writer on the host must not be woken either.
  const auto reader = machine.open("/rw/fifo", OpenFlag::kReadOnly | OpenFlag::kNonBlock);
  REQUIRE(reader.has_value());
  const auto writer = machine.open("/rw/fifo", OpenFlag::kWriteOnly | OpenFlag::kNonBlock);
  REQUIRE(writer.has_value());
  CHECK(::open(fifo.c_str(), O_WRONLY | O_NONBLOCK) == -1);  // ENXIO: nobody has it open on the host
  const int sock = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = (machine.base / "root/rw/sock").string();
  REQUIRE(name.size() < sizeof address.sun_path);
  std::memcpy(address.sun_path, name.c_str(), name.size());
  REQUIRE(::bind(sock, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  CHECK(machine.open_error("/rw/sock") == Errno::kENXIO);
  ::close(sock);
  if (::geteuid() == 0 && ::mknod((machine.base / "root/rw/null").c_str(), S_IFCHR | 0666, makedev(1, 3)) == 0) {
    CHECK(machine.open_error("/rw/null", OpenFlag::kReadWrite) == Errno::kEACCES);
  }
  // They can be looked at.
  const auto stat = machine.vfs->stat(machine.at, "/rw/fifo", Follow::kYes);
  REQUIRE(stat);
  CHECK(stat->type() == FileMode::kFifo);
}

TEST_CASE("fs: nothing outside --rw can be changed") {
  FsMachine machine;
  Vfs& vfs = *machine.vfs;
  const At& at = machine.at;
  CHECK(machine.open_error("/ro/file", OpenFlag::kWriteOnly) == Errno::kEROFS);
  CHECK(machine.open_error("/ro/file", OpenFlag::kReadOnly | OpenFlag::kTruncate) == Errno::kEROFS);
  CHECK(machine.open_error("/ro/new", OpenFlag::kWriteOnly | OpenFlag::kCreate) == Errno::kEROFS);
  CHECK(machine.open_error("/ro/file", OpenFlag::kWriteOnly | OpenFlag::kCreate | OpenFlag::kExclusive) ==
        Errno::kEEXIST);
  CHECK(vfs.mkdir(at, "/ro/new", 0755).error() == Errno::kEROFS);
  CHECK(vfs.mkdir(at, "/ro/sub", 0755).error() == Errno::kEEXIST);
  CHECK(vfs.remove(at, "/ro/file", RemoveKind::kFile).error() == Errno::kEROFS);
  CHECK(vfs.remove(at, "/ro/none", RemoveKind::kFile).error() == Errno::kENOENT);
  CHECK(vfs.remove(at, "/ro/sub", RemoveKind::kDirectory).error() == Errno::kEROFS);
  CHECK(vfs.rename(at, "/ro/file", at, "/ro/other", 0).error() == Errno::kEROFS);
  CHECK(vfs.rename(at, "/ro/file", at, "/rw/other", 0).error() == Errno::kEROFS);
  CHECK(vfs.rename(at, "/rw/file", at, "/ro/other", 0).error() == Errno::kEROFS);
  CHECK(vfs.rename(at, "/rw/file", at, "/ro/file", 0).error() == Errno::kEROFS);
  CHECK(vfs.symlink(at, "/ro/link", "x").error() == Errno::kEROFS);
  CHECK(vfs.link(at, "/ro/file", at, "/ro/link", Follow::kNo).error() == Errno::kEROFS);
  CHECK(vfs.chmod(at, "/ro/file", 0777, Follow::kYes).error() == Errno::kEROFS);
  CHECK(vfs.chown(at, "/ro/file", 1, 1, Follow::kYes).error() == Errno::kEROFS);
  CHECK(vfs.truncate(at, "/ro/file", 0).error() == Errno::kEROFS);
  CHECK(vfs.set_times(at, "/ro/file", {}, Follow::kYes).error() == Errno::kEROFS);
  CHECK(vfs.access(at, "/ro/file", 2, Follow::kYes).error() == Errno::kEROFS);
  const auto file = machine.open("/ro/file");
  REQUIRE(file);
  CHECK((*file)->chmod({}, 0777).error() == Errno::kEROFS);
  CHECK((*file)->set_times({}, {}).error() == Errno::kEROFS);
  CHECK(machine.host_text("root/ro/file") == "read-only text\n");
  // The writable directory itself has its name outside.
  CHECK(vfs.remove(at, "/rw", RemoveKind::kDirectory).error() == Errno::kEROFS);
  CHECK(vfs.rename(at, "/rw", at, "/rw2", 0).error() == Errno::kEROFS);
}

TEST_CASE("fs: a hard link cannot make a read-only file writable") {
  FsMachine machine;
  CHECK(machine.vfs->link(machine.at, "/ro/file", machine.at, "/rw/link", Follow::kNo).error() == Errno::kEXDEV);
  CHECK_FALSE(stdfs::exists(machine.base / "root/rw/link"));
  REQUIRE(machine.vfs->link(machine.at, "/rw/file", machine.at, "/rw/link", Follow::kNo));
  CHECK(stdfs::hard_link_count(machine.base / "root/rw/file") == 2);
}

TEST_CASE("fs: a symlink out of a --rw directory gives no right to write") {
  FsMachine machine;
  slurp_link(machine, "root/rw/out", "../ro/file");
  slurp_link(machine, "root/rw/outdir", "/ro");
  slurp_link(machine, "root/rw/dangling", "../ro/new");
  CHECK(machine.read_path("/rw/out") == "read-only text\n");
  CHECK(machine.open_error("/rw/out", OpenFlag::kReadWrite) == Errno::kEROFS);
  CHECK(machine.open_error("/rw/out", OpenFlag::kWriteOnly | OpenFlag::kTruncate) == Errno::kEROFS);
  CHECK(machine.open_error("/rw/outdir/new", OpenFlag::kWriteOnly | OpenFlag::kCreate) == Errno::kEROFS);
  CHECK(machine.open_error("/rw/dangling", OpenFlag::kWriteOnly | OpenFlag::kCreate) == Errno::kEROFS);
  CHECK(machine.vfs->truncate(machine.at, "/rw/out", 0).error() == Errno::kEROFS);
  CHECK(machine.vfs->chmod(machine.at, "/rw/out", 0777, Follow::kYes).error() == Errno::kEROFS);
  CHECK(machine.vfs->remove(machine.at, "/rw/outdir/file", RemoveKind::kFile).error() == Errno::kEROFS);
  CHECK(machine.host_text("root/ro/file") == "read-only text\n");
}

TEST_CASE("fs: a symlink into a --rw directory writes the file there") {
  FsMachine machine;
  slurp_link(machine, "root/ro/in", "/rw/file");
  const auto file = machine.open("/ro/in", OpenFlag::kWriteOnly | OpenFlag::kTruncate);
  REQUIRE(file);
  REQUIRE(FsMachine::write(**file, "new"));
  CHECK(machine.host_text("root/rw/file") == "new");
}

TEST_CASE("fs: a --rw directory outside the root is refused with a message") {
  FsMachine machine;
  const auto made =
      Vfs::create(*machine.memory, {{(machine.base / "root").string(), {(machine.base / "outside").string()}}, {}});
  REQUIRE_FALSE(made.has_value());
  CHECK(made.error().find("not inside") != std::string::npos);
  const auto missing = Vfs::create(*machine.memory, {{(machine.base / "none").string(), {}}, {}});
  REQUIRE_FALSE(missing.has_value());
  CHECK(missing.error().find("none") != std::string::npos);
}

}  // namespace fl::guest::test

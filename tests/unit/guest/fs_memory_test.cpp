// The objects of files are simulated memory: they are seen in their caches, come back, and each of them can be had not.
#include <functional>

#include "guest/fs/pipe.hpp"
#include "tests/unit/guest/fs_machine.hpp"
#include "vm/verify/census.hpp"

namespace fl::guest::test {
namespace {

uint32_t used(const FsMachine& machine, std::string_view cache) {
  for (const vm::SlabInfo& info : machine.memory->slab().slabinfo()) {
    if (info.name == cache) {
      return info.used_objs;
    }
  }
  FAIL("no cache " << cache);
  return 0;
}

// Runs `action` with its first allocation failing, then its second, and so on until it works. How often it failed.
int fail_each(FsMachine& machine, const std::function<Status()>& action) {
  machine.vfs->drop_caches();
  const auto before = vm::take_census(*machine.memory);
  int failed = 0;
  for (uint64_t n = 1; n < 1000; ++n) {
    machine.memory->pages().fail_alloc().fail_nth(n);
    const Status done = action();
    const bool met = !machine.memory->pages().fail_alloc().armed();
    machine.memory->pages().fail_alloc().off();
    machine.vfs->drop_caches();
    const auto lost = vm::differences_since_boot(before, vm::take_census(*machine.memory));
    INFO("allocation " << n << (lost.empty() ? "" : ": " + lost.front()));
    CHECK(lost.empty());
    if (!met) {
      CHECK(done.has_value());
      return failed;
    }
    if (!done) {
      ++failed;
      CHECK((done.error() == Errno::kENOMEM || done.error() == Errno::kENFILE));
    }
  }
  FAIL("it never worked");
  return failed;
}

template <class T>
Status status_of(const Result<T>& result) {
  return result ? Status{} : Status(fail(result.error()));
}

}  // namespace

TEST_CASE("fs memory: an open file is objects in slab, and they come back") {
  FsMachine machine;
  const uint32_t files = used(machine, "filp"), names = used(machine, "dentry");
  {
    const auto one = machine.open("/ro/file").value();
    const auto two = machine.open("/ro").value();
    const auto three = machine.open("/proc/meminfo").value();
    const auto four = machine.open("/dev/null").value();
    CHECK(used(machine, "filp") == files + 4);
    CHECK(used(machine, "dentry") == names + 4);
    CHECK(used(machine, "ext4_inode_cache") == 1);
    auto ends = make_pipe(*machine.memory, 0, 1, machine.vfs->root()).value();
    CHECK(used(machine, "filp") == files + 6);
  }
  CHECK(used(machine, "filp") == files);
  CHECK(used(machine, "dentry") == names);
  // The inode stays for its cached pages.
  CHECK(used(machine, "ext4_inode_cache") == 1);
  machine.vfs->drop_caches();
  CHECK(used(machine, "ext4_inode_cache") == 0);
}

TEST_CASE("fs memory: what is mapped keeps its file open") {
  FsMachine machine;
  const uint32_t files = used(machine, "filp");
  std::shared_ptr<const vm::MappedFile> mapped = machine.open("/ro/file").value()->mapped_file().value();
  CHECK(used(machine, "filp") == files + 1);
  CHECK(mapped->path == "/ro/file");
  mapped.reset();
  CHECK(used(machine, "filp") == files);
}

TEST_CASE("fs memory: each allocation of a call may fail") {
  FsMachine machine;
  CHECK(fail_each(machine, [&] { return status_of(machine.open("/ro/file")); }) >= 3);
  CHECK(fail_each(machine, [&] { return status_of(machine.open("/dev/zero")); }) >= 2);
  CHECK(fail_each(machine, [&]() -> Status {
          FL_TRY_ASSIGN(const auto directory, machine.open("/ro"));
          class Sink final : public DirectorySink {
            bool add(const DirectoryEntry&) override { return true; }
          } sink;
          return directory->list(sink);
        }) >= 3);
  CHECK(fail_each(machine, [&]() -> Status {
          FL_TRY_ASSIGN(const auto file, machine.open("/sys/devices/system/node/online"));
          std::array<std::byte, 100> bytes;
          KernelBuffer buffer{bytes};
          return status_of(file->read(buffer, file->pos));
        }) >= 3);
  CHECK(fail_each(machine, [&]() -> Status {
          FL_TRY_ASSIGN(const auto ends, make_pipe(*machine.memory, 0, 1, machine.vfs->root()));
          return status_of(FsMachine::write(*ends.writer, "text"));
        }) >= 4);
  CHECK(fail_each(machine, [&]() -> Status {
          FL_TRY_ASSIGN(const auto files, FdTable::create(machine.vfs->caches()));
          FL_TRY_ASSIGN(auto file, machine.open("/ro/file"));
          FL_TRY(files->install(std::move(file), CloseOnExec::kNo, 1024, 100));
          FL_TRY_ASSIGN(const auto copy, files->clone());
          CHECK(copy->get(100) != nullptr);
          FL_TRY_ASSIGN(const auto fs, machine.vfs->initial_context());
          return status_of(fs->clone());
        }) >= 8);
}

TEST_CASE("fs memory: a call that fails leaves the tree as it was") {
  FsMachine machine;
  CHECK(fail_each(machine, [&]() -> Status {
          const auto made = machine.open("/rw/new", OpenFlag::kReadWrite | OpenFlag::kCreate);
          CHECK(std::filesystem::exists(machine.base / "root/rw/new") == made.has_value());
          std::filesystem::remove(machine.base / "root/rw/new");
          return status_of(made);
        }) >= 3);
  const auto held = machine.open("/rw/file").value();
  const auto before = machine.host_text("root/rw/file");
  machine.memory->pages().fail_alloc().fail_nth(1);
  CHECK(machine.vfs->rename(machine.at, "/rw/file", machine.at, "/rw/other", 0).error() == Errno::kENOMEM);
  CHECK(machine.host_text("root/rw/file") == before);
  CHECK(held->path()->text() == "/rw/file");
  REQUIRE(machine.vfs->rename(machine.at, "/rw/file", machine.at, "/rw/other", 0));
  CHECK(held->path()->text() == "/rw/other");
}

}  // namespace fl::guest::test

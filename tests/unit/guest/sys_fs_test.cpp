// /sys: the files of the machine's nodes.
#include "guest/fs/sys/sys_fs.hpp"

#include "tests/unit/guest/fs_machine.hpp"

namespace fl::guest::test {
TEST_CASE("sys: a machine with one node lists it, its processor and its memory") {
  FsMachine machine;
  const std::string folder = "/sys/devices/system/node/";
  CHECK(machine.names_in("/sys") == std::vector<std::string>{".", "..", "devices"});
  CHECK(machine.names_in(folder) == std::vector<std::string>{".", "..", "has_cpu", "has_high_memory", "has_memory",
                                                             "has_normal_memory", "node0", "online", "possible"});
  CHECK(machine.read_path(folder + "online") == "0\n");
  CHECK(machine.read_path(folder + "has_cpu") == "0\n");
  CHECK(machine.read_path(folder + "node0/distance") == "10\n");
  CHECK(machine.read_path(folder + "node0/cpulist") == "0\n");
  CHECK(machine.read_path(folder + "node0/meminfo").starts_with("Node 0 MemTotal:"));
  CHECK(machine.read_path(folder + "node0/numastat").starts_with("numa_hit "));
}

TEST_CASE("sys: nothing can be written, made or walked through") {
  FsMachine machine;
  const std::string file = "/sys/devices/system/node/online";
  CHECK(machine.open_error(file, OpenFlag::kWriteOnly) == Errno::kEACCES);
  CHECK(machine.open_error(file, OpenFlag::kDirectory) == Errno::kENOTDIR);
  CHECK(machine.open_error(file + "/x") == Errno::kENOTDIR);
  CHECK(machine.open_error("/sys/kernel") == Errno::kENOENT);
  CHECK(machine.open_error("/sys/new", OpenFlag::kCreate | OpenFlag::kWriteOnly) == Errno::kEACCES);
  CHECK(machine.open_error("/sys/devices", OpenFlag::kWriteOnly) == Errno::kEISDIR);
  CHECK(machine.vfs->access(machine.at, file, 4, Follow::kYes).has_value());
  CHECK_FALSE(machine.vfs->access(machine.at, file, 2, Follow::kYes).has_value());
  const auto stat = machine.vfs->stat(machine.at, file, Follow::kYes);
  REQUIRE(stat.has_value());
  CHECK(stat->size == 4096);
  CHECK(machine.vfs->statfs(machine.at, file)->type == kSysfsMagic);
}

}  // namespace fl::guest::test

// Reading what is said of the disk and its cache from the command line.
#include "emu/cli/disk_options.hpp"

#include <CLI/CLI.hpp>

#include "emu/cli/size.hpp"
#include "emu/machine/machine_limits.hpp"
#include "mmu/base/addr.hpp"

namespace fl::emu {

void DiskParser::declare(CLI::App& app) {
  app.add_option("--page-cache", page_cache_,
                 "Files of the host are cached in memory from the start (warm,\n"
                 "the default) or have to be read first, which makes faults major\n"
                 "(cold)")
      ->option_text("STATE");
  app.add_option("--readahead", readahead_, "KiB that are read ahead at most (0 to 1048576; default 128)")
      ->option_text("KIB");
  app.add_option("--disk", disk_,
                 "How long the disk takes, in the program's time: ssd (default),\n"
                 "hdd, none, or a seek in us and MB per second, as in 100,500;\n"
                 "none with --clock host")
      ->option_text("MODEL");
}

HostStatus DiskParser::interpret(MachineOptions& machine) const {
  if (page_cache_ != "warm" && page_cache_ != "cold") {
    return host_error("cannot start with a page cache that is: {}: give warm or cold", page_cache_);
  }
  machine.readahead.cold = page_cache_ == "cold";
  const auto kib = parse_number(readahead_);
  if (!kib || *kib > kMaxReadaheadKib) {
    return host_error("cannot read ahead so many KiB: {}: give 0 to {}", readahead_, kMaxReadaheadKib);
  }
  machine.readahead.pages = static_cast<uint32_t>(*kib * 1024 >> kPageShift);
  const auto disk = vm::DiskModel::parse(disk_);
  if (!disk) {
    return host_error("cannot imitate the disk: {}: give ssd, hdd, none or US,MB_PER_SECOND as in 100,500", disk_);
  }
  machine.disk = *disk;
  return {};
}

}  // namespace fl::emu

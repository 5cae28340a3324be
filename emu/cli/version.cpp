// Versions of what decides how a run behaves, and which parts of the processor are in use.
#include "emu/cli/version.hpp"

#include <capstone/capstone.h>
#include <fmt/format.h>

#include "emu/cpu/block_counter.hpp"
#include "emu/cpu/unicorn_cpu.hpp"

namespace fl::emu {
namespace {

// The library that is loaded, which need not be the one whose headers we were built with.
std::string unicorn_version() {
  const unsigned int version = uc_version(nullptr, nullptr);
  return fmt::format("{}.{}.{}", version >> 24, version >> 16 & 0xff, version >> 8 & 0xff);
}

}  // namespace

std::string version_text() {
  int capstone_major = 0, capstone_minor = 0;
  cs_version(&capstone_major, &capstone_minor);
  return fmt::format(
      "faultline {}\nUnicorn {}\nCapstone {}.{}\nkernel profiles: 6.1-i386, 6.18-compat\ninterposed: {}\n", kVersion,
      unicorn_version(), capstone_major, capstone_minor, describe_interposition());
}

}  // namespace fl::emu

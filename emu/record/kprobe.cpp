// Making and removing the probe. See kprobe.hpp.
#include "emu/record/kprobe.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace fl::emu {
namespace {

// handle_mm_fault(vma, address, flags, regs) as compiled for this processor: four registers on x86-64; on i386
// (regparm 3) eax, edx, ecx, then the stack, whose first word is the return address.
#if defined(__x86_64__)
constexpr const char* kArguments = "addr=%si:x64 flags=%dx:x32 regs=%cx:x64";
#else
constexpr const char* kArguments = "addr=%dx:x32 flags=%cx:x32 regs=$stack1:x32";
#endif
constexpr const char* kGroup = "faultline";

}  // namespace

HostResult<std::unique_ptr<KprobeProbe>> KprobeProbe::create(const Tracefs& tracefs) {
  const std::string event = fmt::format("gup_{}", ::getpid());
  std::unique_ptr<KprobeProbe> probe(new KprobeProbe(tracefs, fmt::format("{}/{}", kGroup, event)));
  const std::string line = fmt::format("p:{} handle_mm_fault {}", probe->name_, kArguments);
  int error = tracefs.change_probes(line);
  if (error == EEXIST && tracefs.change_probes("-:" + probe->name_) == 0) {
    error = tracefs.change_probes(line);  // a recorder that was killed left it, and had our number
  }
  if (error != 0) {
    probe->name_.clear();
    return host_error("cannot make a kprobe on handle_mm_fault: {}", std::strerror(error));
  }
  auto tracepoint = tracefs.find(kGroup, event);
  if (!tracepoint) {
    return host_error("cannot find the kprobe that was made: {}/{}", kGroup, event);
  }
  probe->tracepoint_ = std::move(*tracepoint);
  return probe;
}

KprobeProbe::~KprobeProbe() {
  if (!name_.empty()) {
    (void)tracefs_->change_probes("-:" + name_);
  }
}

RawLayout KprobeProbe::layout() const {
  return {.addr = find_raw_field(tracepoint_.format, "addr"), .code = find_raw_field(tracepoint_.format, "flags")};
}

}  // namespace fl::emu

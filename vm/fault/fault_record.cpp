// Names and explanations of fault causes; counting.
#include "vm/fault/fault_record.hpp"

namespace fl::vm {
namespace {

struct CauseText {
  std::string_view name;
  std::string_view explanation;
};

constexpr std::array<CauseText, kFaultCauses> kCauses{{
    {"anon_zero", "read of an untouched anonymous page: the shared zero page was mapped read-only"},
    {"anon", "first write to an anonymous page: a zeroed frame was mapped"},
    {"zero_cow", "write to a page that showed the zero page: a zeroed frame replaced it"},
    {"file_read", "read or execution of a file page: it and its cached neighbours were mapped"},
    {"file_cow", "first write to a private file page: it was copied before it was mapped"},
    {"cow_copy", "write to a shared read-only private page: it was copied"},
    {"cow_reuse", "write to a read-only private page that nobody else uses: made writable"},
    {"shared_write", "first write to a clean page of a shared file mapping: made writable and dirty"},
    {"shmem", "first touch of a page of shared memory"},
    {"file_major", "file page that is not in memory: it was read from the disk"},
    {"swap_cache", "page that has a place in swap but is still, or already, in memory: mapped again"},
    {"swap_in", "page in swap: it was read from the device"},
    {"stack_grow", "access below the stack's mapping: the stack grew to it"},
    {"vdso", "first touch of a page of the vDSO or vvar"},
    {"spurious", "the page tables already allowed the access"},
    {"segv_maperr", "no mapping at the address: SIGSEGV, SEGV_MAPERR"},
    {"segv_accerr", "the mapping forbids the access: SIGSEGV, SEGV_ACCERR"},
    {"bus", "page beyond the end of its file, or unreadable: SIGBUS"},
    {"oom", "no free memory for the page"},
}};

}  // namespace

std::string_view cause_name(FaultCause cause) { return kCauses[static_cast<size_t>(cause)].name; }
std::string_view cause_explanation(FaultCause cause) { return kCauses[static_cast<size_t>(cause)].explanation; }

std::string_view mode_name(FaultMode mode) {
  static constexpr std::array<std::string_view, kFaultModes> kNames{"user", "kernel", "gup"};
  return kNames[static_cast<size_t>(mode)];
}

std::string_view access_name(mmu::Access access) {
  static constexpr std::array<std::string_view, 3> kNames{"read", "write", "exec"};
  return kNames[static_cast<size_t>(access)];
}

void FaultCounters::add(FaultMode mode, FaultResult result, FaultCause cause) {
  ++by_cause[static_cast<size_t>(cause)];
  if (is_error(result)) {
    return;
  }
  ++(result == FaultResult::kMajor ? major : minor);
  ++by_mode[static_cast<size_t>(mode)];
}

}  // namespace fl::vm

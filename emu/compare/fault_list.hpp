// FaultList: one side of a comparison: counted faults in a form that both sides share.
//
// Addresses are ours on both sides (AddressMap). A list is complete and in order of time; `source` leads back to what
// is known of the fault besides.
#pragma once

#include <cstdint>
#include <vector>

#include "emu/compare/address_map.hpp"
#include "emu/compare/diff.hpp"
#include "emu/compare/our_run.hpp"
#include "emu/record/native_record.hpp"
#include "mmu/mmu.hpp"
#include "vm/fault/fault_record.hpp"

namespace fl::emu {

// What the access may have been, a bit for each; several where a reference does not tell.
namespace access_bits {
inline constexpr uint8_t kRead = 1, kWrite = 2, kExec = 4, kAny = 7;
constexpr uint8_t of(mmu::Access access) { return static_cast<uint8_t>(1u << static_cast<unsigned>(access)); }
}  // namespace access_bits
static_assert(access_bits::of(mmu::Access::kRead) == access_bits::kRead &&
              access_bits::of(mmu::Access::kWrite) == access_bits::kWrite &&
              access_bits::of(mmu::Access::kFetch) == access_bits::kExec);

struct ListedFault {
  uint32_t process = 0, task = 0;  // the process's place in its list; the n-th task of the process
  vm::FaultMode mode = vm::FaultMode::kUser;
  uint8_t access = access_bits::kAny;
  bool major = false;
  uint32_t addr = 0, ip = 0;
  uint32_t source = 0;  // index in OurRun::faults or NativeRecord::faults

  uint32_t page() const { return addr >> 12; }
  // Everything that must be equal: page, mode, kind; and the access as far as it is known.
  DiffKey key() const {
    return {page() | static_cast<uint32_t>(mode) << 20 | static_cast<uint32_t>(major) << 22, access};
  }
};

// A process by its place in the tree.
struct ListedProcess {
  int32_t parent = -1;
  uint32_t child = 0;
};

struct FaultList {
  std::vector<ListedProcess> processes;
  std::vector<ListedFault> faults;
};

// Which faults of ours have a counterpart in what the reference could see.
struct ReferenceView {
  bool kernel = true;    // faults of system calls and execve
  bool gup = false;      // each fault of get_user_pages
  bool exec = true;      // instruction fetches are told apart from reads
  bool accesses = true;  // some accesses are known at all
};
ReferenceView view_of(const NativeRecord& record);

FaultList list_reference(const NativeRecord& record, const ReferenceView& view, const AddressMap& map);
FaultList list_ours(const OurRun& run, const ReferenceView& view);

}  // namespace fl::emu

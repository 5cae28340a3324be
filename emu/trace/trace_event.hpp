// TraceEvent: all that a trace says of one page fault: vm's record, the task, the time, the instruction.
//
// The fields and their meaning, in the order of every format (README.md has the table):
//   seq        number of the fault, from 0            t         virtual time, ns
//   pid, tid, comm   the task that is charged         mode      user, kernel (a system call's access), gup
//   access     read, write, exec                      addr      the first byte that was missing; page: its page
//   ip         user EIP: of the instruction (user), or where the program goes on (kernel, gup; 0 before it starts)
//   insn       the instruction at ip; user mode only  sym       symbol of ip + offset
//   vma        start, end, perm, name, pgoff (pages)  cause     vm::FaultCause
//   major, counted   as getrusage counts              pfn       frame in pte_after
//   pte_before, pte_after   raw entries               around    fault-around: first and last page, pages mapped
//
// Between faults stand events of the memory system (vm::MemoryEvent): seq to comm as above, of whom the kernel works
// for, then the event's name and its details.
#pragma once

#include <cstdint>
#include <string_view>

#include "emu/trace/trace_area.hpp"
#include "mmu/base/addr.hpp"
#include "vm/fault/fault_record.hpp"
#include "vm/memory_event.hpp"

namespace fl::emu {

// Views are valid during TraceFormat::write only.
struct TraceEvent {
  uint64_t seq = 0;
  uint64_t time_ns = 0;
  uint32_t pid = 0, tid = 0;
  std::string_view comm;
  // Of these two one is not null.
  const vm::FaultRecord* fault = nullptr;
  const vm::MemoryEvent* event = nullptr;
  VirtAddr ip;
  std::string_view insn;  // empty: unknown
  std::string_view sym;   // empty: unknown
  uint32_t sym_offset = 0;
  const TraceArea* area = nullptr;  // null: no mapping at the address
  // A fault that real Linux took: what only a simulated kernel knows (cause, entries, mapping) is not known.
  bool native = false;
  bool access_known = true;

  bool has_frame() const { return fault->pte_after.present(); }
  bool has_around() const { return fault->around.mapped != 0; }
};

}  // namespace fl::emu

// MemoryProbe and MemoryChooser: how a plugin sees the memory system at work, and where it may decide.
//
// Nobody is told of anything unless a probe asks for that point (MemorySystem::set_probe): then there is one more test
// of a word on the way. Linux counterparts: the tracepoints of exceptions, kmem, vmscan, mmap; for the decisions BPF's
// struct_ops.
#pragma once

#include <cstdint>
#include <span>

#include "mmu/base/addr.hpp"
#include "mmu/mmu.hpp"
#include "vm/fault/fault_record.hpp"
#include "vm/swap/swap_entry.hpp"

namespace fl::vm {

class AddressSpace;
struct AreaShape;
struct MemoryEvent;
class MemorySystem;
struct VmArea;

enum class AreaChange : uint8_t { kMade, kChanged, kRemoved };

class MemoryProbe {
 public:
  // What it wants to be told of; several are or-ed.
  enum Point : uint32_t {
    kFaultBegin = 1u << 0,
    kFaultEnd = 1u << 1,
    kAreas = 1u << 2,
    kPages = 1u << 3,     // allocated, freed
    kMappings = 1u << 4,  // a page-table entry leads to a page, or does not any more
    kSwapIn = 1u << 5,
    kEvents = 1u << 6,  // MemoryEvent
  };
  virtual ~MemoryProbe() = default;
  // Before anything is done about the fault, and after all is (together with FaultObserver::on_fault). Invariants hold.
  virtual void on_fault_begin(const AddressSpace& mm, VirtAddr addr, mmu::Access access, uint32_t error_code,
                              FaultMode mode, mmu::Pte pte) = 0;
  virtual void on_fault_end(const AddressSpace& mm, const FaultRecord& record) = 0;
  // The others come in the middle of the kernel's work: look at nothing but what is passed.
  virtual void on_area(const AddressSpace& mm, const AreaShape& area, AreaChange change) = 0;
  virtual void on_page(Pfn first, uint32_t order, bool allocated) = 0;
  // The page stands at `va` of the area. The zero page and the vDSO, which are nobody's, are not told of.
  virtual void on_mapping(const VmArea& area, VirtAddr va, Pfn pfn, bool mapped) = 0;
  // Read from its slot; `ahead`: nobody has asked for it yet.
  virtual void on_swap_in(Pfn pfn, SwapEntry entry, bool ahead) = 0;
  virtual void on_event(const MemoryEvent& event) = 0;
};

// What becomes of a page that reclaim has taken from the end of a list.
enum class EvictionChoice : uint8_t {
  kDefault,  // as always: it depends on whether it was used
  kEvict,    // it goes, used or not
  kKeep,     // to the front of its list
};

// Each method is given what would be done, and may change it.
class MemoryChooser {
 public:
  virtual ~MemoryChooser() = default;
  // A read fault at `page` of a file's area maps [from, to). What is answered is cut to the area and the page table,
  // and holds `page` in any case.
  virtual void fault_around(const VmArea& area, VirtAddr page, VirtAddr& from, VirtAddr& to) = 0;
  // One choice for each page; all are kDefault. Not asked for MADV_PAGEOUT, nor when reclaim is desperate.
  virtual void evict(MemorySystem& memory, std::span<const Pfn> pages, std::span<EvictionChoice> choices) = 0;
  // How many pages are read when one of the area comes from swap; cut to 1..kMaxSwapWindow, and to a power of two where
  // neighbours on the disk are read.
  virtual uint32_t swap_readahead(const VmArea& area, VirtAddr addr, uint32_t pages) = 0;
};
inline constexpr uint32_t kMaxSwapWindow = 32;

}  // namespace fl::vm

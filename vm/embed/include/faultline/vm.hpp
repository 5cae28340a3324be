// Linux's memory management without a processor: a machine's RAM and swap, files, processes with their mappings; and
// page faults, made by accesses of your own.
//
//   auto vm = faultline::Vm::create({.ram_bytes = 64 << 20, .swap_bytes = 64 << 20});
//   auto process = vm->new_process();
//   const uint32_t at = *process->map({.length = 16 * faultline::kPageSize});
//   faultline::Touch touch = process->touch(at, faultline::Access::kWrite);   // one fault: minor, "anon"
//   auto child = process->fork();
//   child->touch(at, faultline::Access::kWrite);                              // "cow_copy"
//
// Addresses, rules and results are those of an i386 Linux: what faults, why, what it costs in frames, and what is
// refused. Link faultline::vm; it needs no Unicorn.
//
// Several Vm in one process are independent of each other. A Vm with all that comes from it is used by one thread at a
// time. Processes and files keep their Vm's state alive, so that they may be destroyed in any order.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <faultline/base.hpp>
#include <faultline/fault.hpp>

namespace fl::embed {
struct VmState;
struct ProcessState;
struct FileState;
}  // namespace fl::embed

namespace faultline {

struct VmOptions {
  uint64_t ram_bytes = uint64_t{64} << 20;
  uint64_t swap_bytes = 0;          // one area, in this process's memory
  uint64_t memory_limit = 0;        // bytes, for all processes together, as a memory cgroup's; 0: none
  uint32_t nodes = 1;               // RAM in so many NUMA nodes
  std::string kernel = "6.1-i386";  // or "6.18-compat": which Linux is imitated
  std::string reclaim = "lru";      // or "clock", "fifo": which pages leave memory first
  // Mappings are never refused for being larger than RAM and swap. Linux: vm.overcommit_memory = 1.
  bool overcommit = false;
  // Files are on the disk only until they are read; else they count as cached. Linux: after drop_caches.
  bool cold_files = false;
  // Told of every fault, also of those of map() with kPopulate. It must neither use the Vm nor throw.
  std::function<void(const Fault&)> on_fault = {};
};

// PROT_*, MAP_* and MADV_* by their i386 values.
struct Protection {
  enum Bit : uint32_t { kNone = 0, kRead = 1, kWrite = 2, kExecute = 4 };
};
struct MapFlag {
  enum Bit : uint32_t {
    kShared = 0x01,
    kPrivate = 0x02,
    kFixed = 0x10,
    kAnonymous = 0x20,
    kGrowsDown = 0x100,
    kLocked = 0x2000,
    kNoReserve = 0x4000,
    kPopulate = 0x8000,
    kFixedNoReplace = 0x100000,
  };
};
struct Advice {
  enum Kind : int {
    kNormal = 0,
    kRandom = 1,
    kSequential = 2,
    kWillNeed = 3,
    kDontNeed = 4,
    kFree = 8,
    kDontFork = 10,
    kDoFork = 11,
    kWipeOnFork = 18,
    kKeepOnFork = 19,
    kCold = 20,
    kPageOut = 21,
    kPopulateRead = 22,
    kPopulateWrite = 23,
  };
};

// A file whose bytes are in this process. Copies are the same file.
class File {
 public:
  uint64_t size() const;
  // The bytes on its "disk": what is written to shared mappings arrives with sync, msync or reclaim.
  std::span<const std::byte> bytes() const;
  // Writes back what shared mappings changed. EIO never; ENOMEM.
  Status sync();
  // Pages of it that are in memory.
  uint32_t cached_pages() const;

 private:
  friend class Vm;
  friend class Process;
  explicit File(std::shared_ptr<fl::embed::FileState> state) : state_(std::move(state)) {}
  std::shared_ptr<fl::embed::FileState> state_;
};

struct MapRequest {
  uint32_t address = 0;  // a hint, or the place with kFixed
  uint32_t length = 0;   // bytes
  uint32_t protection = Protection::kRead | Protection::kWrite;
  uint32_t flags = MapFlag::kPrivate | MapFlag::kAnonymous;  // of a file: without kAnonymous
  const File* file = nullptr;                                // null: anonymous
  uint32_t file_page = 0;                                    // of the file, that stands first
};

// One access, made until it succeeded or was refused. Usually it makes no fault or one.
struct Touch {
  bool allowed = false;
  uint32_t physical = 0;  // where the byte is, if it is allowed
  std::vector<Fault> faults = {};
  explicit operator bool() const { return allowed; }
};

struct Area {
  uint32_t start = 0, end = 0;   // the end is not in it
  std::string permissions = {};  // "rw-p"
  std::string name = {};         // of the file; empty: anonymous
  uint32_t file_page = 0;
};

// Faults that were counted, and all of them by cause.
struct FaultCounts {
  uint64_t minor = 0, major = 0;
  uint64_t user = 0, kernel = 0, gup = 0;
  std::map<std::string, uint64_t> by_cause = {};  // refused ones too; causes that came
};

struct ProcessUse {
  FaultCounts faults = {};
  // Pages.
  uint32_t mapped = 0, resident = 0, swapped = 0, page_tables = 0;
};

class Process {
 public:
  Process(Process&&) noexcept;
  Process& operator=(Process&&) noexcept;
  // Its memory is given back, as at an exit.
  ~Process();

  // --- memory calls: as the system calls, with their errors ---
  Result<uint32_t> map(const MapRequest& request);
  Status unmap(uint32_t address, uint32_t length);
  Status protect(uint32_t address, uint32_t length, uint32_t protection);
  Status advise(uint32_t address, uint32_t length, int advice);
  Status lock(uint32_t address, uint32_t length);
  Status unlock(uint32_t address, uint32_t length);
  // Writes a shared file mapping back. Linux: msync(MS_SYNC).
  Status sync(uint32_t address, uint32_t length);
  // The new place. `may_move`: MREMAP_MAYMOVE.
  Result<uint32_t> remap(uint32_t address, uint32_t old_length, uint32_t new_length, bool may_move = true);
  // A child with a copy of all that is mapped. ENOMEM.
  Result<Process> fork();

  // --- accesses, as a program's ---
  Touch touch(uint32_t address, Access access);
  // Reads or writes bytes, one access a page; ends at the first that is refused. `physical` is of the last one.
  Touch read(uint32_t address, std::span<std::byte> to);
  Touch write(uint32_t address, std::span<const std::byte> from);

  // --- looking; changes nothing ---
  std::vector<Area> areas() const;
  // The page-table walk for an address: the entries, and whether a user could read there.
  Walk walk(uint32_t address) const;
  ProcessUse use() const;

 private:
  friend class Vm;
  explicit Process(std::unique_ptr<fl::embed::ProcessState> state);
  std::unique_ptr<fl::embed::ProcessState> state_;
};

struct VmCounters {
  FaultCounts faults = {};
  // Frames.
  uint32_t ram = 0, free = 0, used = 0, peak_used = 0, page_tables = 0;
  // Pages.
  uint64_t swap_total = 0, swap_free = 0, swapped_in = 0, swapped_out = 0;
};

class Vm {
 public:
  // What is wrong with the options, or there is too little RAM to boot.
  static Result<Vm> create(const VmOptions& options);
  Vm(Vm&&) noexcept;
  Vm& operator=(Vm&&) noexcept;
  ~Vm();

  // A process with nothing mapped. ENOMEM.
  Result<Process> new_process();
  // A file with these bytes. ENOMEM.
  Result<File> new_file(std::string name, std::vector<std::byte> bytes);

  // Takes memory from those who use it least, as an allocation that finds none does, until about so many pages are free
  // that were not, or nothing more can be taken. How many.
  uint32_t reclaim(uint32_t pages);

  VmCounters counters() const;
  // A file of /proc as it would be: "meminfo", "vmstat", "zoneinfo", "buddyinfo", "slabinfo", ... EINVAL: no such one.
  Result<std::string> report(std::string_view name) const;
  static std::vector<std::string> report_names();
  // Checks all invariants (slow): a line for each that is broken; empty if all is well.
  std::vector<std::string> verify() const;

 private:
  explicit Vm(std::shared_ptr<fl::embed::VmState> state);
  std::shared_ptr<fl::embed::VmState> state_;
};

}  // namespace faultline

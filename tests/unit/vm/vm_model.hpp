// The naive model of processes' memory, and the driver that makes random calls on it and on the real one and compares.
//
// The model of a process is a map from page number to what is mapped there. One process runs; others came by fork and
// wait for their turn. Files and shared memory are known by their words. It knows rights and contents (two words of
// each page), not page tables, frames or merging; what an mremap may span it asks the real areas. After each step the
// machine is verified. The same driver serves the random test (numbers from a seed, model_script.hpp) and the fuzz
// target (numbers from the fuzzer).
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/unit/vm/vm_machine.hpp"
#include "vm/swap/swap_store.hpp"

namespace fl::vm::test {

// Where things stand, in page numbers.
namespace model {
// Fixed addresses come from here. A page-table border lies inside, so that tables come and go.
inline constexpr uint32_t kArena = 0x103f0;
inline constexpr uint32_t kArenaPages = 64;
inline constexpr uint32_t kMmapBase = kArena + kArenaPages;
inline constexpr uint32_t kHeap = 0x8100;
inline constexpr uint32_t kHeapPages = 12;
inline constexpr uint32_t kStackTop = 0x20000;
inline constexpr uint32_t kStackLimit = 24;
inline constexpr uint32_t kMostMapped = 160;
inline constexpr uint32_t kMostFilePages = 48;
inline constexpr size_t kMostProcesses = 4;

inline VirtAddr at(uint32_t vpn) { return VirtAddr(vpn << kPageShift); }
}  // namespace model

// A number below n (n > 0); the source of every decision.
using Choose = std::function<uint32_t(uint32_t n)>;

struct ModelFailure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class ModelDriver {
 public:
  // With a swap area of so many pages, or none.
  ModelDriver(Choose choose, uint32_t frames, const KernelProfile& profile, uint32_t swap_pages = 0);
  // Makes one random call and checks everything. Throws ModelFailure.
  void step();
  // Ends the address space and looks for leaks.
  void finish();
  // What the last step did: "mmap 10010 4 ...".
  const std::string& last() const { return last_; }
  Machine& machine() { return machine_; }
  // Called after each call, before the checks. For showing that they see a mistake.
  std::function<void(ModelDriver&)> after_call;
  // Steps that succeeded in what they set out to do, to see that a run is worth something.
  uint32_t successes() const { return successes_; }

 private:
  static constexpr std::array<uint32_t, 2> kWordOffsets{0x10, 0xff8};
  using Words = std::array<uint32_t, 2>;

  struct File {
    TestFile test;  // without a store: shared memory; without a file too: it is reached through areas only
    std::shared_ptr<MappedFile> read_only;
    std::vector<Words> words;
    bool shmem() const { return test.store == nullptr; }
  };
  struct Page {
    uint32_t prot = 0;
    std::shared_ptr<File> file = nullptr;  // null: anonymous
    uint32_t index = 0;
    bool shared = false;
    bool may_write = true;
    bool locked = false;
    bool given_up = false;  // MADV_FREE, and not written since: it may be zeros by now
    bool grows_down = false;
    bool dont_fork = false;     // MADV_DONTFORK
    bool wipe_on_fork = false;  // MADV_WIPEONFORK
    bool copied = false;        // has a private copy
    Words copy{};
  };
  using Pages = std::map<uint32_t, Page>;
  // One that does not run.
  struct Process {
    AddressSpace::Ptr mm;
    Pages pages;
    uint32_t brk = 0;
  };
  // What mremap takes of one area: its pages, and where the area ends.
  struct Piece {
    uint32_t from = 0;
    uint32_t length = 0;
    uint32_t area_start = 0;
    uint32_t area_end = 0;
    std::shared_ptr<Mapping> mapping = nullptr;
  };

  [[noreturn]] void mismatch(const std::string& what) const { throw ModelFailure(last_ + ": " + what); }
  template <typename T>
  void expect(const Result<T>& is, Errno should_be, const char* what);
  // No memory is an answer. A call that failed may have given back a few frames that it took first, and a slab may need
  // adjacent ones.
  bool exhausted() { return machine_.usable_frames() <= 8 || injected_; }
  // A call ended without memory, perhaps half-way: each page must be as it was, or as it should have become, or be
  // unmapped where the call replaces what is there. The model takes over which.
  void reconcile();

  uint32_t any_page();
  bool all_free(uint32_t first, uint32_t pages) const;
  uint32_t search(uint32_t pages) const;
  void erase(uint32_t first, uint32_t pages);
  Words content(const Page& page) const;
  bool beyond_end(const Page& page) const { return page.file != nullptr && page.index >= page.file->words.size(); }
  bool has_copy(uint32_t vpn);
  void sync_copies(uint32_t first, uint32_t pages);
  std::string check_access(uint32_t vpn, mmu::Access access);
  bool grow_stack(uint32_t vpn);
  // This step's access grew the stack, as far as the model goes.
  bool grew() const { return pages_.size() != before_.size(); }

  void do_mmap();
  void do_munmap();
  void do_mprotect();
  void do_mremap();
  void do_move_many(uint32_t first, uint32_t length, uint32_t target, uint32_t flags);
  void move_pages(const Piece& piece, uint32_t to, uint32_t new_length, bool dont_unmap);
  bool has_moved(const Piece& piece, uint32_t to);
  static Page fresh(const Page& like, uint32_t offset);
  void do_madvise();
  void do_brk();
  void do_lock();
  void do_sync();
  void do_truncate();
  void do_touch();
  void do_kernel_touch();
  void do_file_read();
  void do_fork();
  void do_switch();
  void do_exit();
  void do_shm();
  void do_pressure();
  void do_swapoff();
  template <typename Visit>
  void for_each_process(Visit&& visit);
  void check_areas(const AddressSpace& mm, const Pages& pages) const;
  void check_file(File& file);
  void compare_word(uint32_t vpn, const std::byte* host, uint32_t which);
  void check_all();

  Choose choose_;
  Machine machine_;
  uint32_t free_at_start_ = 0;
  Pages pages_;
  Pages before_;          // pages_ before the step
  bool partial_ = false;  // the step's call may have stopped half-way
  std::vector<std::shared_ptr<File>> files_;
  uint32_t brk_ = 0;
  std::vector<Process> others_;
  std::shared_ptr<SwapStore> swap_;
  std::vector<Pfn> hoard_;  // frames that the test keeps from everybody
  uint32_t next_value_ = 1;
  uint32_t successes_ = 0;
  bool injected_ = false;
  std::string last_;
};

// Calls visit(mm, pages), the running process first.
template <typename Visit>
void ModelDriver::for_each_process(Visit&& visit) {
  visit(machine_.mm(), pages_);
  for (Process& other : others_) {
    visit(*other.mm, other.pages);
  }
}

template <typename T>
void ModelDriver::expect(const Result<T>& is, Errno should_be, const char* what) {
  const Errno got = is ? Errno{} : is.error();
  if (got == Errno::kENOMEM && exhausted()) {
    partial_ = true;
    return;
  }
  if (got != should_be) {
    mismatch(fmt::format("{} answered {}, expected {}", what, is ? "success" : errno_name(got),
                         should_be == Errno{} ? "success" : errno_name(should_be)));
  }
  successes_ += is ? 1 : 0;
}

}  // namespace fl::vm::test

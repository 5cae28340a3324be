// exec: turns an executable file into an address space that is ready to run, as execve does between opening
// the file and the first instruction. Linux counterparts: fs/exec.c (linux_binprm, bprm_execve),
// fs/binfmt_script.c, fs/binfmt_elf.c.
//
// The order of everything that faults is Linux's: argument strings first (get_user_pages), then the cleared
// bss tails and the tables of the initial stack (kernel mode). Simplified: the strings are written at the
// stack's final place at once, so they are never moved; there are no set-id files.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "loaders/vdso_map.hpp"
#include "mmu/base/addr.hpp"
#include "mmu/base/result.hpp"
#include "vm/fault/fault_record.hpp"
#include "vm/mm/address_space.hpp"

namespace fl::loaders {

// Opens what an executable names: the interpreter of a `#!` line or of PT_INTERP. Implemented by guest/fs.
class ProgramOpener {
 public:
  virtual ~ProgramOpener() = default;
  // A regular file that may be executed: ENOENT, EACCES, ELOOP ... Linux: open_exec.
  virtual Result<std::shared_ptr<const vm::MappedFile>> open_program(const std::string& path) = 0;
};

// The argument strings of a running program, read when they are copied: their faults come between those of the new
// stack, as on Linux (rule A6). Implemented by guest/task.
class ExecStrings {
 public:
  virtual ~ExecStrings() = default;
  virtual uint32_t argc() const = 0;
  virtual uint32_t envc() const = 0;
  // EFAULT, E2BIG.
  virtual Result<std::string> argv(uint32_t index) = 0;
  virtual Result<std::string> envp(uint32_t index) = 0;
};

// All that execve is given.
struct ExecRequest {
  // Opened for reading; read through its page cache. Null: `path` is opened when the strings have been copied, as
  // kernels before 6.8 do it.
  std::shared_ptr<const vm::MappedFile> file;
  std::string path;               // as the caller named it: AT_EXECFN, and comm is its last component
  std::vector<std::string> argv;  // empty: Linux adds an empty argv[0]
  std::vector<std::string> envp;
  ExecStrings* strings = nullptr;  // instead of argv and envp
  // Called once nothing of the old program is needed any more and no error is the caller's to handle. Linux:
  // begin_new_exec.
  std::function<void()> point_of_no_return;
  ProgramOpener* opener = nullptr;
  const VdsoImage* vdso = nullptr;  // null: none, and no AT_SYSINFO

  uint32_t uid = 0, euid = 0, gid = 0, egid = 0;
  uint32_t hwcap = 0;             // AT_HWCAP: CPUID 1 edx
  uint32_t hwcap2 = 0;            // AT_HWCAP2
  uint32_t min_signal_stack = 0;  // AT_MINSIGSTKSZ, bytes
  std::array<std::byte, 16> at_random{};
  // Address-space layout randomisation: off, or the seed that all offsets of this program follow from.
  std::optional<uint64_t> aslr_seed;
};

// What the task needs to start the program.
struct LoadedProgram {
  VirtAddr entry;                             // of the interpreter if there is one
  VirtAddr stack_pointer;                     // points at argc
  VirtAddr vdso_base;                         // 0: no vDSO
  VdsoSymbols vdso;                           // absolute addresses; all 0 without a vDSO
  std::string comm;                           // at most 15 bytes
  std::shared_ptr<const vm::MappedFile> exe;  // the ELF file: of a script its interpreter
  bool read_implies_exec = false;
  std::vector<uint32_t> auxv;  // type, value, ... as /proc/PID/auxv shows it, with the final AT_NULL
};

// Loads a program into `mm`, which must be new and empty; sets its layout(), mmap_base() and
// read_implies_exec(). Faults are charged to `task`. Errors: E2BIG strings too long; ENOEXEC no known format;
// ELOOP interpreters nested too deep; ELIBBAD bad PT_INTERP; ENOMEM, EINVAL, EEXIST, EPERM, EFAULT, EIO ...
// for images that cannot be mapped (Linux has passed the point of no return by then and kills the task with
// SIGSEGV). After an error `mm` is half built: drop it.
Result<LoadedProgram> load_program(vm::AddressSpace& mm, const ExecRequest& request, vm::FaultCounters& task);

}  // namespace fl::loaders

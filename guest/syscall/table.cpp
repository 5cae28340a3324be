// kSyscallTable, made from table.inc at compile time. Linux counterpart: arch/x86/entry/syscall_32.c.
#include "guest/syscall/syscall.hpp"

namespace fl::guest {

#define X(number, name, handler, format) Result<uint32_t> handler(Kernel&, Task&, const SyscallArgs&);
#include "guest/syscall/table.inc"
#undef X

namespace {

constexpr std::array<SyscallEntry, kSyscalls> make_table() {
  std::array<SyscallEntry, kSyscalls> table{};
  for (SyscallEntry& entry : table) {
    entry = {sys_ni_syscall, "", "xxxxxx"};
  }
#define X(number, name, handler, format) table[number] = {handler, #name, format};
#include "guest/syscall/table.inc"
#undef X
  return table;
}

// syscall_entry() answers numbers beyond the table with the last entry.
static_assert(make_table()[kSyscalls - 1].name.empty());

}  // namespace

constinit const std::array<SyscallEntry, kSyscalls> kSyscallTable = make_table();

}  // namespace fl::guest

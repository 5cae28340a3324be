// Writing the tables of a new program's stack, in the order in which Linux writes them. See initial_stack.hpp.
#include "loaders/initial_stack.hpp"

#include <span>
#include <string_view>

#include "loaders/argument_strings.hpp"
#include "vm/memory_system.hpp"
#include "vm/user_access.hpp"

namespace fl::loaders {
namespace {

// ELF_PLATFORM: the same for a 32-bit program on x86-64.
constexpr std::string_view kPlatform{"i686\0", 5};

// Appends the addresses of `count` strings that stand one after the other, and a null; `at` moves behind the last one.
Status append_pointers(vm::UserAccess& user, std::vector<uint32_t>& table, uint32_t count, VirtAddr& at) {
  for (uint32_t i = 0; i < count; ++i) {
    table.push_back(at.value());
    FL_TRY_ASSIGN(const std::string text, user.string(at, kMaxArgString, Errno::kEINVAL));
    at += static_cast<uint32_t>(text.size()) + 1;
  }
  table.push_back(0);
  return {};
}

}  // namespace

Result<InitialStack> create_elf_tables(vm::AddressSpace& mm, vm::FaultCounters& task, Aslr& aslr, VirtAddr strings,
                                       uint32_t argc, uint32_t envc, AuxValues aux,
                                       const std::array<std::byte, 16>& random) {
  vm::UserAccess user(mm, task);
  aux.platform = aslr.align_stack(strings) - static_cast<uint32_t>(kPlatform.size());
  FL_TRY(user.write(aux.platform, std::as_bytes(std::span(kPlatform))));
  aux.random = aux.platform - static_cast<uint32_t>(random.size());
  FL_TRY(user.write(aux.random, random));

  InitialStack stack;
  stack.auxv = build_auxv(aux, mm.memory().profile());
  const auto auxv_bytes = static_cast<uint32_t>(stack.auxv.size() * sizeof(uint32_t));
  const uint32_t table_words = 1 + (argc + 1) + (envc + 1);
  // STACK_ADD and STACK_ROUND.
  stack.stack_pointer = VirtAddr((aux.random.value() - auxv_bytes - table_words * 4) & ~15u);
  // The stack grows over all of it at once, so that no fault has to.
  bool grew = false;
  if (!mm.find_area_for_fault(stack.stack_pointer, grew)) {
    return fail(Errno::kEFAULT);
  }

  vm::ProgramLayout& layout = mm.layout();
  std::vector<uint32_t> table{argc};
  VirtAddr at = strings;
  layout.arg_start = at;
  FL_TRY(append_pointers(user, table, argc, at));
  layout.arg_end = layout.env_start = at;
  FL_TRY(append_pointers(user, table, envc, at));
  layout.env_end = at;
  FL_TRY(user.write(stack.stack_pointer, std::as_bytes(std::span(table))));
  FL_TRY(user.write(stack.stack_pointer + table_words * 4, std::as_bytes(std::span(stack.auxv))));
  layout.start_stack = stack.stack_pointer;
  return stack;
}

}  // namespace fl::loaders

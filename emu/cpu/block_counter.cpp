// Which of our functions libunicorn really calls. A library linked with -Bsymbolic, or a program linked without
// exported symbols, calls its own: then the addresses differ and the CPU falls back to a block hook.
#include "emu/cpu/block_counter.hpp"

#include <dlfcn.h>

namespace fl::emu {

extern "C" {
FlBlockGate fl_block_gate = {0, ~uint64_t{0}};
FlRotateFlags fl_rotate_flags = {0, false};
FlEngineMarks fl_engine_marks = {0, 0, nullptr};
// Set by the interposing sources, if they are linked in.
void* fl_interposed_blocks = nullptr;
void* fl_interposed_access_check = nullptr;
void* fl_interposed_rotates = nullptr;
void* fl_interposed_io = nullptr;
void* fl_interposed_marks = nullptr;
void* fl_interposed_code_watch = nullptr;
}

namespace {
bool taken(const char* name, const void* ours) { return ours != nullptr && dlsym(RTLD_DEFAULT, name) == ours; }
}  // namespace

Interposition active_interposition() {
  return Interposition{
      .blocks = taken("helper_check_exit_request_x86_64", fl_interposed_blocks),
      .access_check = taken("check_exit_request_x86_64", fl_interposed_access_check),
      .rotates = taken("helper_rcll_x86_64", fl_interposed_rotates),
      .io = taken("helper_inb_x86_64", fl_interposed_io),
      .marks = taken("helper_load_seg_x86_64", fl_interposed_marks),
      .code_watch = taken("tlb_reset_dirty_by_vaddr_x86_64", fl_interposed_code_watch),
  };
}

std::string describe_interposition() {
  const Interposition active = active_interposition();
  std::string text;
  const auto add = [&text](bool on, const char* name) {
    if (on) {
      text += text.empty() ? "" : ", ";
      text += name;
    }
  };
  add(active.blocks, "blocks");
  add(active.access_check, "access check");
  add(active.rotates, "rotates");
  add(active.io, "in and out");
  add(active.marks, "marks");
  add(active.code_watch, "code watch");
  return text.empty() ? "none (slower, less exact)" : text;
}

}  // namespace fl::emu

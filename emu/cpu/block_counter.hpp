// Counting executed blocks: the source of virtual time and of the scheduler's quantum, and the way to stop the CPU.
//
// libunicorn calls helper_check_exit_request_x86_64 at the start of each translated block. interpose_blocks.cpp
// replaces it by one that counts in `fl_block_gate` and goes on while blocks < limit; lowering the limit stops the CPU
// at the next block, also from a host signal handler. Without interposition a block hook counts in the same gate (35 %
// slower). The gate is the project's one global: code that the translator emits has no place for a context of ours. It
// belongs to the UnicornCpu that runs; several in one process take turns.
#pragma once

#include <cstdint>
#include <string>

namespace fl::emu {

extern "C" {
struct FlBlockGate {
  uint64_t blocks;          // counted in this run
  volatile uint64_t limit;  // stop at the start of the block with this number
};
extern FlBlockGate fl_block_gate;

// The arithmetic flags before the last rcl or rcr that a helper executed (see interpose_rotate.cpp).
struct FlRotateFlags {
  uint64_t before;
  bool known;
};
extern FlRotateFlags fl_rotate_flags;

// What the guest did in this run (see interpose_marks.cpp).
struct FlEngineMarks {
  uint32_t interrupt_length;  // of the int instruction that ended the run; 0: it was none
  uint32_t loaded_segment;    // 1: a segment register was loaded
  void* state;  // the engine's private state, once an int instruction was executed (see register_window.hpp)
};
extern FlEngineMarks fl_engine_marks;
}

// What replaces functions of libunicorn in this process.
struct Interposition {
  bool blocks = false;        // block counting without a hook
  bool access_check = false;  // no check after each guest access
  bool rotates = false;       // exact flags when the store of rcl/rcr faults
  bool io = false;            // in and out are privileged
  bool marks = false;         // int n and segment loads are noticed
  bool code_watch = false;    // no search of the TLB after each translated block
};
// Compares the addresses that the dynamic linker gives with ours.
Interposition active_interposition();
// One line for --version, for example "blocks, access check, rotates" or "none (slower, less exact)".
std::string describe_interposition();

}  // namespace fl::emu

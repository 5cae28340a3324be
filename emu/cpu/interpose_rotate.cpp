// rcl and rcr on memory: the helpers rotate CF (and set OF) before the store, so a store that faults leaves changed
// flags and the retried instruction would rotate them again. These wrappers keep the flags from before; the CPU puts
// them back when the write of such an instruction faults.
//
// The helper finds all flags in the engine's cc_src, whose place in the engine's private state has no API. It is
// learned: of the words that can be cc_src, it is the one that the original changes.
#include <dlfcn.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "emu/cpu/block_counter.hpp"
#include "mmu/base/check.hpp"

namespace {

using RotateHelper = uint64_t (*)(void* env, uint64_t value, uint64_t count);

// General registers, eip, eflags and the cc fields stand at the start of the engine's state.
constexpr size_t kSearchedWords = 32;
constexpr size_t kUnknown = kSearchedWords;

struct RotateState {
  std::array<RotateHelper, 6> original{};
  size_t flags_word = kUnknown;
};
RotateState& rotate_state() {
  static RotateState state;
  return state;
}

uint64_t rotate(size_t helper, void* env, uint64_t value, uint64_t count) {
  RotateState& state = rotate_state();
  auto* words = static_cast<uint64_t*>(env);
  if (state.flags_word != kUnknown) {
    fl::emu::fl_rotate_flags = {words[state.flags_word], true};
    return state.original[helper](env, value, count);
  }
  std::array<uint64_t, kSearchedWords> before;
  std::memcpy(before.data(), words, sizeof before);
  const uint64_t result = state.original[helper](env, value, count);
  // Nothing changed: nothing to put back, and nothing learned.
  fl::emu::fl_rotate_flags.known = false;
  for (size_t at = 0; at < kSearchedWords; ++at) {
    if (words[at] != before[at]) {
      state.flags_word = at;
      fl::emu::fl_rotate_flags = {before[at], true};
      break;
    }
  }
  return result;
}

}  // namespace

extern "C" {

extern void* fl_interposed_rotates;

uint64_t helper_rclb_x86_64(void* env, uint64_t value, uint64_t count) { return rotate(0, env, value, count); }
uint64_t helper_rclw_x86_64(void* env, uint64_t value, uint64_t count) { return rotate(1, env, value, count); }
uint64_t helper_rcll_x86_64(void* env, uint64_t value, uint64_t count) { return rotate(2, env, value, count); }
uint64_t helper_rcrb_x86_64(void* env, uint64_t value, uint64_t count) { return rotate(3, env, value, count); }
uint64_t helper_rcrw_x86_64(void* env, uint64_t value, uint64_t count) { return rotate(4, env, value, count); }
uint64_t helper_rcrl_x86_64(void* env, uint64_t value, uint64_t count) { return rotate(5, env, value, count); }

__attribute__((constructor)) void fl_register_rotate_interposition() {
  constexpr std::array<const char*, 6> kNames = {"helper_rclb_x86_64", "helper_rclw_x86_64", "helper_rcll_x86_64",
                                                 "helper_rcrb_x86_64", "helper_rcrw_x86_64", "helper_rcrl_x86_64"};
  for (size_t at = 0; at < kNames.size(); ++at) {
    rotate_state().original[at] = reinterpret_cast<RotateHelper>(dlsym(RTLD_NEXT, kNames[at]));
    FL_CHECK(rotate_state().original[at] != nullptr, "libunicorn has no {}", kNames[at]);
  }
  fl_interposed_rotates = reinterpret_cast<void*>(&helper_rcll_x86_64);
}
}

// Signal handlers on a stack of their own, since a stack that is full is a way to crash, and a long jump out of them.
#include "emu/plugin/load_guard.hpp"

#include <setjmp.h>
#include <signal.h>

#include <array>
#include <memory>

namespace fl::emu {
namespace {

constexpr std::array<int, 5> kCrashes{SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
constexpr size_t kStackBytes = 64 << 10;

// The place to go back to, of the thread that is in run_guarded: a handler has no argument.
thread_local sigjmp_buf* guarded = nullptr;

void handle(int signal) {
  if (guarded != nullptr) {
    siglongjmp(*guarded, signal);
  }
  // Another thread's crash: it is as it would have been.
  ::signal(signal, SIG_DFL);
  raise(signal);
}

class CrashHandlers {
 public:
  CrashHandlers() : stack_(std::make_unique<char[]>(kStackBytes)) {
    stack_t stack{};
    stack.ss_sp = stack_.get();
    stack.ss_size = kStackBytes;
    sigaltstack(&stack, &old_stack_);
    struct sigaction action {};
    action.sa_handler = &handle;
    action.sa_flags = SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < kCrashes.size(); ++i) {
      sigaction(kCrashes[i], &action, &old_[i]);
    }
  }
  CrashHandlers(const CrashHandlers&) = delete;
  CrashHandlers& operator=(const CrashHandlers&) = delete;
  ~CrashHandlers() {
    for (size_t i = 0; i < kCrashes.size(); ++i) {
      sigaction(kCrashes[i], &old_[i], nullptr);
    }
    sigaltstack(&old_stack_, nullptr);
  }

 private:
  std::unique_ptr<char[]> stack_;
  stack_t old_stack_{};
  std::array<struct sigaction, kCrashes.size()> old_{};
};

// Has no locals that a jump could leave undefined.
int call(sigjmp_buf& place, void (*work)(void*), void* argument) {
  if (const int signal = sigsetjmp(place, /*savemask=*/1); signal != 0) {
    return signal;
  }
  guarded = &place;
  work(argument);
  return 0;
}

}  // namespace

int run_guarded(void (*work)(void*), void* argument) {
  const CrashHandlers handlers;
  sigjmp_buf place;
  const int signal = call(place, work, argument);
  guarded = nullptr;
  return signal;
}

}  // namespace fl::emu

// Running somebody else's code that may crash.
#pragma once

namespace fl::emu {

// Calls work(argument). 0, or the number of the signal that ended it: SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, raised
// by this thread. Then nothing that `work` held is given back, so the process should not live long. Not while such
// signals are handled otherwise by another thread.
int run_guarded(void (*work)(void*), void* argument);

}  // namespace fl::emu

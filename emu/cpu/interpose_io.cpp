// in and out in user mode: a processor checks IOPL and the I/O bitmap and raises #GP; Unicorn leaves the check out and
// executes them, so that emulators can hook ports. These helpers raise the exception. (ins stores a zero byte before it
// asks for the port; the page fault of such a store is turned into #GP in traps.cpp.)
#include <cstdint>

#include "emu/cpu/block_counter.hpp"
#include "guest/cpu/registers.hpp"

extern "C" {

extern void* fl_interposed_io;

// libunicorn's. `retaddr` is an address inside the translated code, just before the return address of the helper.
[[noreturn]] void raise_exception_err_ra_x86_64(void* env, int vector, int error_code, uintptr_t retaddr);

#define FL_REFUSE_IO(env)                                                                            \
  raise_exception_err_ra_x86_64(env, static_cast<int>(fl::guest::Vector::kGeneralProtection), 0,      \
                                reinterpret_cast<uintptr_t>(__builtin_return_address(0)) - 2)

uint64_t helper_inb_x86_64(void* env, uint32_t /*port*/) { FL_REFUSE_IO(env); }
uint64_t helper_inw_x86_64(void* env, uint32_t /*port*/) { FL_REFUSE_IO(env); }
uint64_t helper_inl_x86_64(void* env, uint32_t /*port*/) { FL_REFUSE_IO(env); }
void helper_outb_x86_64(void* env, uint32_t /*port*/, uint32_t /*data*/) { FL_REFUSE_IO(env); }
void helper_outw_x86_64(void* env, uint32_t /*port*/, uint32_t /*data*/) { FL_REFUSE_IO(env); }
void helper_outl_x86_64(void* env, uint32_t /*port*/, uint32_t /*data*/) { FL_REFUSE_IO(env); }

__attribute__((constructor)) void fl_register_io_interposition() {
  fl_interposed_io = reinterpret_cast<void*>(&helper_inb_x86_64);
}
}

// The first task and its program, and what all programs are started with. Linux counterparts: kernel_init,
// start_thread, create_elf_tables' values.
#include <utility>

#include "guest/fs/vfs.hpp"
#include "guest/kernel.hpp"
#include "guest/process/program_opener.hpp"
#include "guest/signal/frame_layout.hpp"
#include "guest/time/coarse_clock.hpp"
#include "loaders/exec.hpp"

namespace fl::guest {
namespace {

// The registers as a program finds them. Linux: start_thread, ELF_PLAT_INIT.
Registers start_registers(const vm::KernelProfile& profile, const loaders::LoadedProgram& program) {
  Registers regs;
  regs.eip = program.entry.value();
  regs.esp = program.stack_pointer.value();
  regs.cs = profile.user_cs;
  regs.ss = regs.ds = regs.es = profile.user_ss;
  return regs;
}

}  // namespace

// What a program is told of the machine and of its user.
loaders::ExecRequest Kernel::exec_request(const Task& task) {
  loaders::ExecRequest exec;
  exec.vdso = vdso_.get();
  exec.uid = task.cred.uid;
  exec.euid = task.cred.euid;
  exec.gid = task.cred.gid;
  exec.egid = task.cred.egid;
  exec.hwcap = options_.hwcap;
  exec.hwcap2 = options_.hwcap2;
  exec.min_signal_stack = options_.signal_state.min_stack;
  random_bytes(exec.at_random);
  if (options_.aslr) {
    // Each program has a layout of its own, all of them from the one seed.
    exec.aslr_seed = tasks_.empty() ? options_.seed : random_();
  }
  return exec;
}

// The task's memory is the program's; it starts at its first instruction. Linux: start_thread.
void Kernel::start_program(Task& task, loaders::LoadedProgram program) {
  task.comm = program.comm;
  task.regs = start_registers(profile(), program);
  constexpr uint32_t kReadImpliesExec = 0x0400000;
  task.personality &= ~kReadImpliesExec;
  task.personality |= program.read_implies_exec ? kReadImpliesExec : 0;
  task.program = std::make_shared<const loaders::LoadedProgram>(std::move(program));
}

Status Kernel::boot_vdso() {
  if (vdso_ == nullptr) {
    FL_TRY_ASSIGN(vdso_, loaders::VdsoImage::create(ports_.memory));
    init_clock_page(ports_.time, vdso_->clock_data());
  }
  return {};
}

Result<Task*> Kernel::create_init(const InitRequest& request) {
  FL_CHECK(init_ == nullptr, "there is one first task");
  FL_TRY(boot_vdso());
  FL_TRY_ASSIGN(auto made, caches_.task.make(*this));
  Task& task = *made;
  task.tid = task.tgid = next_pid_++;
  FL_TRY_ASSIGN(task.group, vm::make_shared_object(caches_.group, *this, task.tid));
  task.group->leader = &task;
  task.group->pgid = task.group->sid = task.tid;
  task.cred = options_.credentials;
  FL_TRY_ASSIGN(task.handlers, vm::make_shared_object(caches_.handlers));
  FL_TRY_ASSIGN(task.files, FdTable::create(ports_.vfs.caches()));
  FL_TRY(ports_.vfs.open_stdio(*task.files));
  FL_TRY_ASSIGN(task.fs, ports_.vfs.initial_context());

  FL_TRY_ASSIGN(task.mm, vm::AddressSpace::create(ports_.memory, memory_limits(task.group->limits)));
  task.mm->set_may_map_low(task.cred.euid == 0);
  ExecCall call;
  call.at = At{task.fs->cwd, caller_of(task)};
  call.path = call.name = request.path;
  ExecOpener opener(ports_.vfs, call, task);
  loaders::ExecRequest exec = exec_request(task);
  exec.path = request.path;
  exec.argv = request.argv;
  exec.envp = request.env;
  exec.opener = &opener;
  FL_TRY_ASSIGN(exec.file, opener.open_program(request.path));
  FL_TRY_ASSIGN(loaders::LoadedProgram program, loaders::load_program(*task.mm, exec, task.faults));
  task.running = opener.running(program.exe.get());
  start_program(task, std::move(program));
  ports_.fpu.reset();
  task.fpu = ports_.fpu.save();
  init_ = task.group;
  made.release();
  add_task(task);
  scheduler_.enqueue(task);
  return &task;
}

}  // namespace fl::guest

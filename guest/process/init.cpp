// Kernel::create_init: the first task and its program. Linux counterparts: kernel_init, bprm_execve, begin_new_exec.
#include <utility>

#include "guest/fs/vfs.hpp"
#include "guest/kernel.hpp"
#include "guest/signal/frame_layout.hpp"
#include "guest/time/coarse_clock.hpp"
#include "loaders/exec.hpp"

namespace fl::guest {
namespace {

// Opens interpreters for the loader, as the task would.
class VfsOpener final : public loaders::ProgramOpener {
 public:
  VfsOpener(Vfs& vfs, At at) : vfs_(vfs), at_(std::move(at)) {}
  Result<std::shared_ptr<const vm::MappedFile>> open_program(const std::string& path) override {
    FL_TRY_ASSIGN(const std::shared_ptr<OpenFile> file, vfs_.open_exec(at_, path));
    auto mapped = file->mapped_file();
    if (!mapped && mapped.error() == Errno::kENODEV) {
      return fail(Errno::kEACCES);  // a file that cannot be mapped is no program
    }
    return mapped;
  }

 private:
  Vfs& vfs_;
  At at_;
};

loaders::ExecRequest exec_request(Kernel& kernel, const Task& task, const InitRequest& request) {
  const KernelOptions& options = kernel.options();
  loaders::ExecRequest exec;
  exec.path = request.path;
  exec.argv = request.argv;
  exec.envp = request.env;
  exec.uid = task.cred.uid;
  exec.euid = task.cred.euid;
  exec.gid = task.cred.gid;
  exec.egid = task.cred.egid;
  exec.hwcap = options.hwcap;
  exec.hwcap2 = options.hwcap2;
  exec.min_signal_stack = options.signal_state.min_stack;
  kernel.random_bytes(exec.at_random);
  if (options.aslr) {
    exec.aslr_seed = options.seed;
  }
  return exec;
}

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

Result<Task*> Kernel::create_init(const InitRequest& request) {
  FL_CHECK(init_ == nullptr, "there is one first task");
  if (vdso_ == nullptr) {
    FL_TRY_ASSIGN(vdso_, loaders::VdsoImage::create(ports_.memory));
    init_clock_page(ports_.time, vdso_->clock_data());
  }

  auto task = std::make_unique<Task>();
  task->tid = task->tgid = task->pgid = task->sid = next_pid_++;
  task->ppid = 1;
  task->cred = options_.credentials;
  task->group = std::make_shared<ThreadGroup>();
  task->group->tgid = task->tgid;
  task->handlers = std::make_shared<SignalHandlers>();
  FL_TRY_ASSIGN(task->files, FdTable::create(ports_.vfs.caches()));
  FL_TRY(ports_.vfs.open_stdio(*task->files));
  FL_TRY_ASSIGN(task->fs, ports_.vfs.initial_context());
  task->start_ns = ports_.time.cpu_ns();

  FL_TRY_ASSIGN(task->mm, vm::AddressSpace::create(ports_.memory, memory_limits(task->group->limits)));
  task->mm->set_may_map_low(task->cred.euid == 0);
  VfsOpener opener(ports_.vfs, At{task->fs->cwd, Caller{task->tgid, task->tid}});
  loaders::ExecRequest exec = exec_request(*this, *task, request);
  exec.opener = &opener;
  exec.vdso = vdso_.get();
  FL_TRY_ASSIGN(exec.file, opener.open_program(request.path));
  FL_TRY_ASSIGN(loaders::LoadedProgram program, loaders::load_program(*task->mm, exec, task->faults));

  task->comm = program.comm;
  task->regs = start_registers(profile(), program);
  if (program.read_implies_exec) {
    constexpr uint32_t kReadImpliesExec = 0x0400000;
    task->personality |= kReadImpliesExec;
  }
  task->program = std::make_shared<const loaders::LoadedProgram>(std::move(program));
  ports_.fpu.reset();
  task->fpu = ports_.fpu.save();
  tasks_.push_back(std::move(task));
  init_ = tasks_.back().get();
  return init_;
}

}  // namespace fl::guest

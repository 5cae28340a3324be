// A process goes on with another program: the new address space is built whole, then the old one is given up. Linux
// counterpart: fs/exec.c (do_execveat_common, begin_new_exec, bprm_execve), flush_thread.
//
// Simplified: set-user-id bits and file capabilities do nothing, as on a file system mounted nosuid.
#include "guest/task/exec.hpp"

#include <fmt/format.h>

#include <cstring>

#include "guest/fs/fd_table.hpp"
#include "guest/kernel.hpp"
#include "guest/process/program_opener.hpp"
#include "guest/signal/send.hpp"
#include "guest/syscall/file_support.hpp"
#include "loaders/argument_strings.hpp"

namespace fl::guest {
namespace {

// The strings of the running program, read from its memory one by one. Linux: count, copy_strings.
class UserStrings final : public loaders::ExecStrings {
 public:
  // Counts the pointers of both arrays: EFAULT, E2BIG.
  static Result<UserStrings> count(Task& task, VirtAddr argv, VirtAddr envp) {
    UserStrings strings(task, argv, envp);
    FL_TRY_ASSIGN(strings.argc_, strings.count_pointers(argv));
    FL_TRY_ASSIGN(strings.envc_, strings.count_pointers(envp));
    return strings;
  }
  uint32_t argc() const override { return argc_; }
  uint32_t envc() const override { return envc_; }
  Result<std::string> argv(uint32_t index) override { return string(argv_, index); }
  Result<std::string> envp(uint32_t index) override { return string(envp_, index); }

 private:
  UserStrings(Task& task, VirtAddr argv, VirtAddr envp) : task_(task), argv_(argv), envp_(envp) {}

  Result<uint32_t> count_pointers(VirtAddr array) {
    if (array == VirtAddr(0)) {
      return 0;
    }
    vm::UserAccess user = task_.user();
    for (uint32_t count = 0;; ++count) {
      FL_TRY_ASSIGN(const auto pointer, user.get<uint32_t>(array + count * static_cast<uint32_t>(sizeof(uint32_t))));
      if (pointer == 0) {
        return count;
      }
    }
  }

  // Linux: strnlen_user, which reads aligned words and so touches no page behind the one with the NUL.
  Result<std::string> string(VirtAddr array, uint32_t index) {
    vm::UserAccess user = task_.user();
    FL_TRY_ASSIGN(const auto pointer, user.get<uint32_t>(array + index * static_cast<uint32_t>(sizeof(uint32_t))));
    std::string text;
    while (text.size() < loaders::kMaxArgString) {
      const VirtAddr at = VirtAddr(pointer) + static_cast<uint32_t>(text.size());
      FL_TRY_ASSIGN(const vm::KmapSpan part, user.chunk(at, kPageSize, mmu::Access::kRead));
      const auto* const chars = reinterpret_cast<const char*>(part.data());
      const size_t length = strnlen(chars, part.size());
      text.append(chars, length);
      if (length < part.size()) {
        return text;
      }
    }
    return fail(Errno::kE2BIG);
  }

  Task& task_;
  VirtAddr argv_, envp_;
  uint32_t argc_ = 0, envc_ = 0;
};

// What the program goes on with is nobody else's. ENOMEM. Linux: unshare_files, unshare_sighand.
Status unshare(Task& task, TaskCaches& caches) {
  if (task.files.use_count() > 1) {
    FL_TRY_ASSIGN(task.files, task.files->clone());
  }
  if (task.handlers.use_count() > 1) {
    FL_TRY_ASSIGN(task.handlers, vm::make_shared_object(caches.handlers, *task.handlers));
  }
  return {};
}

}  // namespace

Result<ExecCall> make_exec_call(const Task& task, int32_t dirfd, std::string path, VirtAddr argv, VirtAddr envp,
                                uint32_t flags) {
  if ((flags & ~(AtFlag::kSymlinkNoFollow | AtFlag::kEmptyPath)) != 0) {
    return fail(Errno::kEINVAL);
  }
  const bool relative = dirfd != kAtFdCwd && !path.starts_with('/');
  ExecCall call;
  call.at = at_cwd(task);
  call.path = call.name = path;
  call.argv = argv;
  call.envp = envp;
  call.follow = follow_unless((flags & AtFlag::kSymlinkNoFollow) != 0);
  if (path.empty()) {
    if ((flags & AtFlag::kEmptyPath) == 0) {
      return fail(Errno::kENOENT);
    }
    call.file = dirfd == kAtFdCwd ? nullptr : task.files->share(static_cast<uint32_t>(dirfd));
    if (call.file == nullptr) {
      return fail(dirfd == kAtFdCwd ? Errno::kEACCES : Errno::kEBADF);
    }
  } else if (relative) {
    FL_TRY_ASSIGN(call.at, at_directory(task, dirfd, path));
  }
  if (relative) {
    call.name = path.empty() ? fmt::format("/dev/fd/{}", dirfd) : fmt::format("/dev/fd/{}/{}", dirfd, path);
  }
  return call;
}

Status Kernel::exec(Task& task, const ExecCall& call) {
  ExecOpener opener(ports_.vfs, call, task);
  loaders::ExecRequest request = exec_request(task);
  request.path = call.name;
  request.opener = &opener;
  if (profile().exec_opens_first) {
    FL_TRY_ASSIGN(request.file, opener.open_program(call.name));
  }
  FL_TRY_ASSIGN(vm::AddressSpace::Ptr mm, vm::AddressSpace::create(ports_.memory, memory_limits(task.group->limits)));
  mm->set_may_map_low(task.cred.euid == 0);
  FL_TRY_ASSIGN(UserStrings strings, UserStrings::count(task, call.argv, call.envp));
  request.strings = &strings;
  bool committed = false;
  request.point_of_no_return = [&] {
    committed = true;
    become_only_thread(task);
    release_mm(task);
  };
  auto program = loaders::load_program(*mm, request, task.faults);
  if (!program) {
    if (!committed) {
      return fail(program.error());
    }
    // Linux: force_fatal_sig. The old program cannot go on.
    exit_group(task, Signal::kSegv);
    return fail(kRegistersReplaced);
  }

  // Nothing fails any more but this, which costs the process its life too.
  if (!unshare(task, caches_)) {
    exit_group(task, Signal::kSegv);
    return fail(kRegistersReplaced);
  }
  task.mm = std::move(mm);
  ports_.memory.mmu().set_cr3(task.mm->tables().directory());
  ports_.memory.overcommit().set_current(task.mm.get());
  ports_.memory.tlb().flush();
  delete_posix_timers(*this, *task.group);
  task.handlers->flush();
  task.alt_stack = AltStack{};
  task.files->close_on_exec();
  task.tls = TlsArray{};
  task.rseq = task.rseq_length = task.rseq_signature = 0;
  task.rseq_pending = false;
  task.robust_list = task.set_child_tid = 0;
  task.restart = RestartBlock{};
  task.group->executed = true;
  task.group->exit_signal = Signal::kChld;
  task.group->dumpable = 1;
  ports_.fpu.reset();
  task.running = opener.running(program->exe.get());
  start_program(task, std::move(*program));
  if (ports_.observer != nullptr) {
    ports_.observer->on_exec(task);
  }
  return {};
}

// The others of the process end; who executes goes on under the leader's number. Linux: de_thread.
void Kernel::become_only_thread(Task& task) {
  const std::shared_ptr<ThreadGroup> group = task.group;
  Task* const leader = group->leader;
  end_other_threads(task);
  if (leader == &task) {
    return;
  }
  // Its numbers are exchanged with those of the leader, which is gone.
  tasks_.erase(tasks_.iterator_to(*leader));
  tasks_.erase(tasks_.iterator_to(task));
  std::swap(leader->tid, task.tid);
  tasks_.insert(*leader);
  tasks_.insert(task);
  group->leader = &task;
  bury(*leader);
}

}  // namespace fl::guest

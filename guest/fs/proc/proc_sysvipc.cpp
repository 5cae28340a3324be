// /proc/sysvipc and the limits of System V IPC in /proc/sys/kernel. Linux counterparts: sysvipc_*_proc_show (ipc/shm.c,
// sem.c, msg.c), ipc/ipc_sysctl.c. kernel.shm_rmid_forced is 0 and cannot be changed; the next identifiers
// (CHECKPOINT_RESTORE) cannot be set.
#include <fmt/format.h>

#include <array>
#include <iterator>
#include <limits>

#include "guest/fs/proc/proc_text.hpp"
#include "guest/fs/proc/sysctl.hpp"
#include "guest/ipc/ipc.hpp"
#include "guest/kernel.hpp"

namespace fl::guest {
namespace {

// The columns of sizes are as wide as an unsigned long needs.
std::string shm_text(Kernel& kernel) {
  const int width = kernel_is_64bit(kernel) ? 21 : 10;
  std::string text = fmt::format(
      "       key      shmid perms {:>{}}  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime      ctime "
      "{:>{}} {:>{}}\n",
      "size", width, "rss", width, "swap", width);
  for (IpcPerm& perm : kernel.ipc().sysv.shm.ids().objects()) {
    const auto& segment = static_cast<const ShmSegment&>(perm);
    fmt::format_to(std::back_inserter(text),
                   "{:10} {:10}  {:4o} {:{}} {:5} {:5}  {:5} {:5} {:5} {:5} {:5} {:10} {:10} {:10} {:{}} {:{}}\n",
                   segment.key, segment.id, segment.mode, segment.bytes, width, segment.creator_pid, segment.last_pid,
                   segment.attached, segment.uid, segment.gid, segment.cuid, segment.cgid, segment.attach_time,
                   segment.detach_time, segment.change_time, uint64_t{segment.pages->cached_pages()} << kPageShift,
                   width, uint64_t{segment.pages->swapped_pages()} << kPageShift, width);
  }
  return text;
}

std::string sem_text(Kernel& kernel) {
  std::string text = "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n";
  for (IpcPerm& perm : kernel.ipc().sysv.sem.ids().objects()) {
    const auto& array = static_cast<const SemArray&>(perm);
    fmt::format_to(std::back_inserter(text), "{:10} {:10}  {:4o} {:10} {:5} {:5} {:5} {:5} {:10} {:10}\n", array.key,
                   array.id, array.mode, array.size(), array.uid, array.gid, array.cuid, array.cgid,
                   array.operation_time, array.change_time);
  }
  return text;
}

std::string msg_text(Kernel& kernel) {
  std::string text =
      "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime      rtime  "
      "    ctime\n";
  for (IpcPerm& perm : kernel.ipc().sysv.msg.ids().objects()) {
    const auto& queue = static_cast<const MsgQueue&>(perm);
    fmt::format_to(std::back_inserter(text),
                   "{:10} {:10}  {:4o}  {:10} {:10} {:5} {:5} {:5} {:5} {:5} {:5} {:10} {:10} {:10}\n", queue.key,
                   queue.id, queue.mode, queue.bytes, queue.count, queue.last_sender, queue.last_receiver, queue.uid,
                   queue.gid, queue.cuid, queue.cgid, queue.send_time, queue.receive_time, queue.change_time);
  }
  return text;
}

// --- limits ---

std::string line(uint64_t value) { return fmt::format("{}\n", value); }

Status store_long(Kernel& kernel, std::string_view text, uint64_t& value) {
  const uint64_t most =
      kernel_is_64bit(kernel) ? std::numeric_limits<uint64_t>::max() : std::numeric_limits<uint32_t>::max();
  FL_TRY_ASSIGN(value, parse_long_sysctl(text, most));
  return {};
}

Status store_int(std::string_view text, uint32_t& value, uint32_t most) {
  return parse_sysctl(text, std::span(&value, 1), 0, most);
}

ShmSegments::Limits& shm_limits(Kernel& kernel) { return kernel.ipc().sysv.shm.limits(); }
MsgQueues::Limits& msg_limits(Kernel& kernel) { return kernel.ipc().sysv.msg.limits(); }

std::string sem_limits(Kernel& kernel) {
  const SemArrays::Limits& now = kernel.ipc().sysv.sem.limits();
  const std::array<uint32_t, 4> values = {now.per_array, now.all, now.operations, now.arrays};
  return format_sysctl(values);
}
// Linux: proc_ipc_sem_dointvec, sem_check_semmni.
Status set_sem_limits(Kernel& kernel, std::string_view text) {
  SemArrays::Limits& now = kernel.ipc().sysv.sem.limits();
  std::array<uint32_t, 4> values = {now.per_array, now.all, now.operations, now.arrays};
  FL_TRY(parse_sysctl(text, values, 0, INT32_MAX));
  const bool too_many = values[3] > kIpcMaxObjects;
  now = {values[0], values[1], values[2], too_many ? now.arrays : values[3]};
  return too_many ? Status(fail(Errno::kERANGE)) : Status();
}

constexpr std::array<SystemFile, 11> kSysvFiles = {{
    {"sys/kernel/msgmax", 0x60, 0644, [](Kernel& kernel) { return line(msg_limits(kernel).message); },
     [](Kernel& kernel, std::string_view text) { return store_int(text, msg_limits(kernel).message, INT32_MAX); }},
    {"sys/kernel/msgmnb", 0x61, 0644, [](Kernel& kernel) { return line(msg_limits(kernel).queue); },
     [](Kernel& kernel, std::string_view text) { return store_int(text, msg_limits(kernel).queue, INT32_MAX); }},
    {"sys/kernel/msgmni", 0x62, 0644, [](Kernel& kernel) { return line(msg_limits(kernel).queues); },
     [](Kernel& kernel, std::string_view text) { return store_int(text, msg_limits(kernel).queues, kIpcMaxObjects); }},
    {"sys/kernel/sem", 0x63, 0644, sem_limits, set_sem_limits},
    {"sys/kernel/shm_rmid_forced", 0x64, 0444, [](Kernel&) { return line(0); }},
    {"sys/kernel/shmall", 0x65, 0644, [](Kernel& kernel) { return line(shm_limits(kernel).all_pages); },
     [](Kernel& kernel, std::string_view text) { return store_long(kernel, text, shm_limits(kernel).all_pages); }},
    {"sys/kernel/shmmax", 0x66, 0644, [](Kernel& kernel) { return line(shm_limits(kernel).max_bytes); },
     [](Kernel& kernel, std::string_view text) { return store_long(kernel, text, shm_limits(kernel).max_bytes); }},
    {"sys/kernel/shmmni", 0x67, 0644, [](Kernel& kernel) { return line(shm_limits(kernel).segments); },
     [](Kernel& kernel, std::string_view text) {
       return store_int(text, shm_limits(kernel).segments, kIpcMaxObjects);
     }},
    {"sysvipc/msg", 0x68, 0444, msg_text},
    {"sysvipc/sem", 0x69, 0444, sem_text},
    {"sysvipc/shm", 0x6a, 0444, shm_text},
}};

}  // namespace

std::span<const SystemFile> sysv_files() { return kSysvFiles; }

}  // namespace fl::guest

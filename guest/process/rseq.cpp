// rseq registration, its write and the abort of a sequence. See rseq.hpp.
#include "guest/process/rseq.hpp"

#include <array>
#include <cstddef>

namespace fl::guest {
namespace {

// struct rseq and struct rseq_cs (uapi/linux/rseq.h).
struct RseqArea {
  uint32_t cpu_id_start, cpu_id;
  uint64_t critical_section;
  uint32_t flags, node_id, mm_cid, end;
};
static_assert(sizeof(RseqArea) == 32);
struct RseqCriticalSection {
  uint32_t version, flags;
  uint64_t start_ip, post_commit_offset, abort_ip;
};
static_assert(sizeof(RseqCriticalSection) == 32);

constexpr uint32_t kUnregister = 1;
constexpr uint32_t kAreaSize = 32;  // Linux: ORIG_RSEQ_SIZE
constexpr uint32_t kCpuIdUninitialised = ~0u;

VirtAddr field(const Task& task, size_t offset) { return VirtAddr(task.rseq + static_cast<uint32_t>(offset)); }

Status write_ids(Task& task, uint32_t cpu_id_start, uint32_t cpu_id) {
  vm::UserAccess user = task.user();
  FL_TRY(user.put(field(task, offsetof(RseqArea, cpu_id_start)), std::array<uint32_t, 2>{cpu_id_start, cpu_id}));
  // node_id and mm_cid (6.3 and later); in 6.1 these bytes are padding that nobody reads.
  return user.put(field(task, offsetof(RseqArea, node_id)), std::array<uint32_t, 2>{0, 0});
}

// Linux: rseq_ip_fixup.
Status abort_sequence(Task& task) {
  vm::UserAccess user = task.user();
  FL_TRY_ASSIGN(const auto pointer, user.get<uint64_t>(field(task, offsetof(RseqArea, critical_section))));
  if (pointer == 0) {
    return {};
  }
  if (pointer > UINT32_MAX) {
    return fail(Errno::kEFAULT);
  }
  FL_TRY_ASSIGN(const auto section, user.get<RseqCriticalSection>(VirtAddr(static_cast<uint32_t>(pointer))));
  constexpr uint64_t kUserEnd = 0xC0000000;
  const uint64_t end = section.start_ip + section.post_commit_offset;
  if (section.start_ip >= kUserEnd || end >= kUserEnd || end < section.start_ip || section.abort_ip >= kUserEnd ||
      section.version != 0 || section.abort_ip - section.start_ip < section.post_commit_offset) {
    return fail(Errno::kEINVAL);
  }
  const auto abort_ip = static_cast<uint32_t>(section.abort_ip);
  FL_TRY_ASSIGN(const auto signature, user.get<uint32_t>(VirtAddr(abort_ip - 4)));
  if (signature != task.rseq_signature) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY(user.put(field(task, offsetof(RseqArea, critical_section)), uint64_t{0}));
  if (task.regs.eip - section.start_ip < section.post_commit_offset) {
    task.regs.eip = abort_ip;
  }
  return {};
}

bool notify(Task& task) {
  task.rseq_pending = false;
  return abort_sequence(task).has_value() && write_ids(task, 0, 0).has_value();
}

}  // namespace

Status rseq_register(Kernel&, Task& task, uint32_t address, uint32_t length, uint32_t flags, uint32_t signature) {
  const bool same = task.rseq == address && task.rseq_length == length;
  if ((flags & kUnregister) != 0) {
    if (flags != kUnregister || task.rseq == 0 || !same) {
      return fail(Errno::kEINVAL);
    }
    if (task.rseq_signature != signature) {
      return fail(Errno::kEPERM);
    }
    FL_TRY(write_ids(task, 0, kCpuIdUninitialised));
    task.rseq = task.rseq_length = task.rseq_signature = 0;
    task.rseq_pending = false;
    return {};
  }
  if (flags != 0) {
    return fail(Errno::kEINVAL);
  }
  if (task.rseq != 0) {
    if (!same) {
      return fail(Errno::kEINVAL);
    }
    return fail(task.rseq_signature != signature ? Errno::kEPERM : Errno::kEBUSY);
  }
  if (length != kAreaSize || address % kAreaSize != 0) {
    return fail(Errno::kEINVAL);
  }
  if (!vm::UserAccess::access_ok(VirtAddr(address), length)) {
    return fail(Errno::kEFAULT);
  }
  if (address == 0) {
    return {};  // as Linux: recorded as "none registered"
  }
  task.rseq = address;
  task.rseq_length = length;
  task.rseq_signature = signature;
  rseq_preempted(task);
  return {};
}

bool rseq_before_return(Task& task) { return !task.rseq_pending || notify(task); }

bool rseq_before_signal(Task& task) { return task.rseq == 0 || notify(task); }

}  // namespace fl::guest

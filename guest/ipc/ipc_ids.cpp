// Identifiers, keys and rights of System V objects.
#include "guest/ipc/ipc_ids.hpp"

#include <algorithm>
#include <limits>

#include "guest/kernel.hpp"

namespace fl::guest {

bool ipc_allows(const IpcPerm& perm, const Credentials& cred, uint32_t wanted) {
  const auto in_group = [&cred](uint32_t gid) {
    return cred.fsgid == gid || std::find(cred.groups.begin(), cred.groups.end(), gid) != cred.groups.end();
  };
  const uint32_t requested = wanted >> 6 | wanted >> 3 | wanted;
  uint32_t granted = perm.mode;
  if (cred.euid == perm.cuid || cred.euid == perm.uid) {
    granted >>= 6;
  } else if (in_group(perm.cgid) || in_group(perm.gid)) {
    granted >>= 3;
  }
  return (requested & ~granted & 7) == 0 || cred.euid == 0;
}

// Linux: idr_alloc_cyclic as ipc_idr_alloc asks it: places go round in at least kIpcMinCycle of them. There is a free
// one, as the number of objects is limited.
uint32_t IpcIds::free_index() const {
  const uint32_t end = std::min(std::max(in_use() * 3 / 2, kIpcMinCycle), kIpcMaxObjects);
  for (uint32_t start = next_index_;; start = 0) {
    uint32_t index = start;
    for (auto at = by_index_.lower_bound(start); at != by_index_.end() && at->index() == index; ++at) {
      ++index;
    }
    if (index < end) {
      return index;
    }
  }
}

Result<int32_t> IpcIds::add(IpcPerm& perm, const Credentials& cred, uint32_t limit) {
  constexpr uint32_t kMostSequence = std::numeric_limits<int32_t>::max() >> kIpcIndexBits;
  if (in_use() >= std::min(limit, kIpcMaxObjects)) {
    return fail(Errno::kENOSPC);
  }
  perm.cuid = perm.uid = cred.euid;
  perm.cgid = perm.gid = cred.egid;
  const uint32_t index = free_index();
  next_index_ = index + 1;
  if (index <= last_index_ && ++sequence_ >= kMostSequence) {
    sequence_ = 0;
  }
  last_index_ = index;
  perm.id = static_cast<int32_t>(sequence_ << kIpcIndexBits | index);
  by_index_.insert(perm);
  if (perm.key != kIpcPrivate) {
    by_key_.insert(perm);
  }
  return perm.id;
}

void IpcIds::make_private(IpcPerm& perm) {
  if (perm.key != kIpcPrivate) {
    by_key_.erase(by_key_.iterator_to(perm));
    perm.key = kIpcPrivate;
  }
}

void IpcIds::remove(IpcPerm& perm) {
  make_private(perm);
  by_index_.erase(by_index_.iterator_to(perm));
}

IpcPerm* IpcIds::find_index(int32_t id) {
  const auto found = by_index_.find(static_cast<uint32_t>(id) & (kIpcMaxObjects - 1));
  return found == by_index_.end() ? nullptr : &*found;
}

IpcPerm* IpcIds::find(int32_t id) {
  IpcPerm* const found = find_index(id);
  return found != nullptr && found->id == id ? found : nullptr;
}

IpcPerm* IpcIds::find_key(int32_t key) {
  const auto found = by_key_.find(key);
  return found == by_key_.end() ? nullptr : &*found;
}

Result<IpcPerm*> IpcIds::control(int32_t id, const Credentials& cred) {
  IpcPerm* const found = find(id);
  if (found == nullptr) {
    return fail(Errno::kEINVAL);
  }
  const bool owns = cred.euid == found->cuid || cred.euid == found->uid || cred.euid == 0;
  return owns ? Result<IpcPerm*>(found) : fail(Errno::kEPERM);
}

Status ipc_update(IpcPerm& perm, const IpcChange& change) {
  constexpr uint32_t kNobody = std::numeric_limits<uint32_t>::max();
  if (change.uid == kNobody || change.gid == kNobody) {
    return fail(Errno::kEINVAL);
  }
  perm.uid = change.uid;
  perm.gid = change.gid;
  perm.mode = (perm.mode & ~kIpcAccess) | (change.mode & kIpcAccess);
  return {};
}

int64_t real_seconds(Kernel& kernel) {
  return static_cast<int64_t>((kernel.time().wall_start_ns() + kernel.time().now_ns()) / kNsPerSecond);
}

bool kernel_is_64bit(Kernel& kernel) { return kernel.profile().kernel_pointer_bytes == 8; }

}  // namespace fl::guest

// IpcIds: the System V objects of one kind (segments, semaphore sets, queues), found by identifier or key; IpcPerm:
// what every such object has. Linux counterparts: struct ipc_ids, struct kern_ipc_perm (ipc/util.c).
//
// An identifier is a place in the table and a sequence number, which grows when places are used again: an identifier of
// an object that is gone is not another's soon. Objects are their owners' (ShmSegments, SemArrays, MsgQueues); the
// table holds places only. Simplified: the table itself takes no memory of the machine.
#pragma once

#include <boost/intrusive/set.hpp>
#include <cstdint>

#include "mmu/base/result.hpp"

namespace fl::guest {

class Kernel;
struct Credentials;

// Flags of the get calls, commands of the control calls (linux/ipc.h).
struct IpcFlag {
  enum Bit : uint32_t { kCreate = 01000, kExclusive = 02000, kNoWait = 04000 };
};
struct IpcCommand {
  enum Number : int32_t { kRmid = 0, kSet = 1, kStat = 2, kInfo = 3 };
};
inline constexpr int32_t kIpcPrivate = 0;
inline constexpr uint32_t kIpcRead = 0444, kIpcWrite = 0222, kIpcAccess = 0777;  // S_IRUGO, S_IWUGO, S_IRWXUGO
// Linux: IPCMNI, IPCMNI_SHIFT, the default of RADIX_TREE_MAP_SIZE.
inline constexpr uint32_t kIpcMaxObjects = 32768, kIpcIndexBits = 15, kIpcMinCycle = 64;

struct IpcPerm {
  IpcPerm(int32_t key_given, uint32_t mode_given) : key(key_given), mode(mode_given) {}
  IpcPerm(const IpcPerm&) = delete;
  IpcPerm& operator=(const IpcPerm&) = delete;

  int32_t id = -1;
  int32_t key;
  uint32_t uid = 0, gid = 0, cuid = 0, cgid = 0;  // owner, creator
  uint32_t mode;                                  // rights; of a segment also its state
  uint32_t sequence() const { return static_cast<uint32_t>(id) >> kIpcIndexBits; }
  uint32_t index() const { return static_cast<uint32_t>(id) & (kIpcMaxObjects - 1); }

  boost::intrusive::set_member_hook<> index_hook, key_hook;
};

// Whether somebody may do what `wanted` (three octal digits) says. Linux: ipcperms.
bool ipc_allows(const IpcPerm& perm, const Credentials& cred, uint32_t wanted);

class IpcIds {
  struct ByIndex {
    using type = uint32_t;
    type operator()(const IpcPerm& perm) const { return perm.index(); }
  };
  struct ByKey {
    using type = int32_t;
    type operator()(const IpcPerm& perm) const { return perm.key; }
  };
  template <auto Hook, class Key>
  using Set =
      boost::intrusive::set<IpcPerm, boost::intrusive::member_hook<IpcPerm, boost::intrusive::set_member_hook<>, Hook>,
                            boost::intrusive::key_of_value<Key>>;

 public:
  using Objects = Set<&IpcPerm::index_hook, ByIndex>;

  // Gives the object its identifier and makes the caller owner and creator. ENOSPC: there are `limit`. Linux:
  // ipc_addid.
  Result<int32_t> add(IpcPerm& perm, const Credentials& cred, uint32_t limit);
  // Linux: ipc_rmid, ipc_set_key_private.
  void remove(IpcPerm& perm);
  void make_private(IpcPerm& perm);

  // Null: none. By the place only (*_STAT), by the whole identifier, by key. Linux: ipc_obtain_object_idr,
  // ipc_obtain_object_check, ipc_findkey.
  IpcPerm* find_index(int32_t id);
  IpcPerm* find(int32_t id);
  IpcPerm* find_key(int32_t key);
  // An object that the caller may change or remove: EINVAL, EPERM. Linux: ipcctl_obtain_check.
  Result<IpcPerm*> control(int32_t id, const Credentials& cred);

  uint32_t in_use() const { return static_cast<uint32_t>(by_index_.size()); }
  // The highest place in use; 0 for none too, as IPC_INFO answers. Linux: ipc_get_maxidx.
  uint32_t max_index() const { return by_index_.empty() ? 0 : by_index_.rbegin()->index(); }
  // In the order of their places.
  Objects& objects() { return by_index_; }

 private:
  uint32_t free_index() const;

  Objects by_index_;
  Set<&IpcPerm::key_hook, ByKey> by_key_;
  uint32_t sequence_ = 0;
  uint32_t next_index_ = 0;  // idr_next
  int64_t last_index_ = -1;
};

// An object for a key: `make()` creates it, `check(perm)` looks at what was found. The identifier; ENOENT, EEXIST,
// EACCES and the errors of both. Linux: ipcget.
template <class Make, class Check>
Result<int32_t> ipc_get(IpcIds& ids, const Credentials& cred, int32_t key, uint32_t flags, Make&& make, Check&& check) {
  constexpr uint32_t kNewOnly = IpcFlag::kCreate | IpcFlag::kExclusive;
  IpcPerm* const found = key == kIpcPrivate ? nullptr : ids.find_key(key);
  if (found == nullptr) {
    return key != kIpcPrivate && (flags & IpcFlag::kCreate) == 0 ? Result<int32_t>(fail(Errno::kENOENT)) : make();
  }
  if ((flags & kNewOnly) == kNewOnly) {
    return fail(Errno::kEEXIST);
  }
  FL_TRY(check(*found));
  return ipc_allows(*found, cred, flags) ? Result<int32_t>(found->id) : fail(Errno::kEACCES);
}

// What IPC_SET may change. Linux: the parts of struct ipc64_perm that ipc_update_perm reads.
struct IpcChange {
  uint32_t uid = 0, gid = 0, mode = 0;
};
// EINVAL: no such user. Linux: ipc_update_perm.
Status ipc_update(IpcPerm& perm, const IpcChange& change);

// Seconds of the wall clock. Linux: ktime_get_real_seconds.
int64_t real_seconds(Kernel& kernel);
// Whether the kernel imitated is a 64-bit one, whose limits are larger.
bool kernel_is_64bit(Kernel& kernel);

}  // namespace fl::guest

// What fork, vfork, clone and clone3 ask for. Linux counterpart: struct kernel_clone_args, CLONE_* (linux/sched.h).
#pragma once

#include <cstdint>

#include "mmu/base/addr.hpp"

namespace fl::guest {

struct CloneFlag {
  enum Bit : uint64_t {
    kExitSignalMask = 0xff,  // of clone; clone3 has a field
    kVm = 0x100,
    kFs = 0x200,
    kFiles = 0x400,
    kSigHand = 0x800,
    kPidfd = 0x1000,
    kPtrace = 0x2000,
    kVfork = 0x4000,
    kParent = 0x8000,
    kThread = 0x10000,
    kNewNs = 0x20000,
    kSysVSem = 0x40000,
    kSetTls = 0x80000,
    kParentSetTid = 0x100000,
    kChildClearTid = 0x200000,
    kDetached = 0x400000,
    kUntraced = 0x800000,
    kChildSetTid = 0x1000000,
    kNewCgroup = 0x2000000,
    kNewUts = 0x4000000,
    kNewIpc = 0x8000000,
    kNewUser = 0x10000000,
    kNewPid = 0x20000000,
    kNewNet = 0x40000000,
    kIo = 0x80000000,
    kClearSigHand = 0x100000000,
    kIntoCgroup = 0x200000000,
  };
  // There are no namespaces and no control groups.
  static constexpr uint64_t kNamespaces =
      kNewNs | kNewCgroup | kNewUts | kNewIpc | kNewUser | kNewPid | kNewNet | kIntoCgroup;
};

struct CloneRequest {
  uint64_t flags = 0;  // CloneFlag bits, without the exit signal
  int exit_signal = 0;
  uint32_t stack = 0;  // the child's esp; 0: the parent's
  VirtAddr parent_tid{}, child_tid{};
  VirtAddr pidfd{};  // where the descriptor of CLONE_PIDFD goes
  VirtAddr tls{};    // struct user_desc
};

}  // namespace fl::guest

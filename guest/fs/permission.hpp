// Who may do what with a file that the kernel makes up. Linux counterparts: generic_permission (fs/namei.c), test_perm
// (fs/proc/proc_sysctl.c). Simplified: user 0 has every capability, nobody else has one. Host files are the host's to
// judge.
#pragma once

#include <algorithm>
#include <cstdint>

#include "guest/fs/file_stat.hpp"
#include "guest/fs/open_file.hpp"
#include "guest/task.hpp"

namespace fl::guest {

// MAY_READ and so on; also the bits of access(2).
struct May {
  enum Bit : uint32_t { kExecute = 1, kWrite = 2, kRead = 4 };
};

// Whether user 0 may read and write what the mode forbids (CAP_DAC_OVERRIDE). Settings below /proc/sys make no such
// exception: a write-only one can be read by nobody.
enum class RootOverride : bool { kNo, kYes };

inline bool mode_allows(const FileStat& stat, const Credentials& cred, uint32_t wanted, RootOverride root) {
  const bool in_group =
      cred.fsgid == stat.gid || std::find(cred.groups.begin(), cred.groups.end(), stat.gid) != cred.groups.end();
  const uint32_t shift = cred.fsuid == stat.uid ? 6 : in_group ? 3 : 0;
  if ((wanted & ~(stat.mode >> shift) & 7) == 0) {
    return true;
  }
  constexpr uint32_t kAnyExecute = 0111;
  const bool executes = (wanted & May::kExecute) != 0 && !stat.is_directory() && (stat.mode & kAnyExecute) == 0;
  return root == RootOverride::kYes && cred.fsuid == 0 && !executes;
}

// What an open with these flags wants to do.
inline uint32_t wanted_by_open(uint32_t flags) {
  switch (flags & OpenFlag::kAccessMode) {
    case OpenFlag::kReadOnly:
      return May::kRead;
    case OpenFlag::kWriteOnly:
      return May::kWrite;
    default:
      return May::kRead | May::kWrite;
  }
}

}  // namespace fl::guest

// Names of errno values, for --strace and error messages.
#include "mmu/base/errno.hpp"

#include <cstring>

namespace fl {

const char* errno_name(Errno error) {
  const char* name = strerrorname_np(static_cast<int>(error));
  return name != nullptr ? name : "E?";
}

}  // namespace fl

// What the socket calls share: their files and addresses, and sleeping until a socket answers. Linux counterparts:
// sockfd_lookup_light, move_addr_to_kernel, move_addr_to_user.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "guest/net/socket_file.hpp"
#include "guest/syscall/file_support.hpp"
#include "guest/syscall/syscall.hpp"

namespace fl::guest {

inline constexpr uint32_t kAfUnix = 1;

// The socket of a descriptor, kept over a sleep. EBADF, ENOTSOCK.
Result<std::shared_ptr<SocketFile>> socket_of_call(const Task& task, uint32_t fd);

// An address: its name without the family; none: only a family was given. EINVAL, EFAULT. Linux: unix_validate_addr.
Result<std::string> read_address(Task& task, VirtAddr from, int32_t length);
// The socket of a type that is bound to a name, abstract or in the file tree. ECONNREFUSED; EPROTOTYPE: that file is of
// a socket of another type; errors of the path. Linux: unix_find_other.
Result<std::shared_ptr<UnixSocket>> find_socket(Kernel& kernel, const Task& task, const std::string& name,
                                                SocketType type);
// Stores as much of an address as fits and its whole length. Null name: only the family. EINVAL, EFAULT.
Status write_address(Task& task, const UnixName* name, VirtAddr to, VirtAddr length_at);

// After EAGAIN: sleeps on a queue until `timeout_ns` after the call began, or gives EAGAIN. Linux: sock_wait_for_wmem
// and its like; sock_intr_errno.
Result<uint32_t> wait_on_socket(Kernel& kernel, Task& task, const std::shared_ptr<SocketFile>& file, WaitQueue& queue,
                                bool nonblocking, std::optional<uint64_t> timeout_ns, const char* what, uint32_t fd);

// The calls of socket_message.cpp, for socketcall; send and recv have no number of their own.
Result<uint32_t> sys_send(Kernel& kernel, Task& task, const SyscallArgs& args);
Result<uint32_t> sys_recv(Kernel& kernel, Task& task, const SyscallArgs& args);
Result<uint32_t> sys_sendto(Kernel& kernel, Task& task, const SyscallArgs& args);
Result<uint32_t> sys_recvfrom(Kernel& kernel, Task& task, const SyscallArgs& args);
Result<uint32_t> sys_sendmsg(Kernel& kernel, Task& task, const SyscallArgs& args);
Result<uint32_t> sys_recvmsg(Kernel& kernel, Task& task, const SyscallArgs& args);

}  // namespace fl::guest

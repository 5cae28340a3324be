// See socket_support.hpp.
#include "guest/syscall/socket_support.hpp"

#include <algorithm>
#include <array>

#include "guest/ipc/ipc.hpp"
#include "guest/signal/send.hpp"

namespace fl::guest {
namespace {

constexpr uint32_t kFamilyBytes = 2;
constexpr uint32_t kMostAddress = 128;  // Linux: sizeof(struct sockaddr_storage)

}  // namespace

Result<std::shared_ptr<SocketFile>> socket_of_call(const Task& task, uint32_t fd) {
  FL_TRY_ASSIGN(const std::shared_ptr<OpenFile> file, file_of_call(task, fd));
  auto socket = std::dynamic_pointer_cast<SocketFile>(file);
  return socket != nullptr ? Result<std::shared_ptr<SocketFile>>(std::move(socket)) : fail(NetErrno::kENOTSOCK);
}

Result<std::string> read_address(Task& task, VirtAddr from, int32_t length) {
  if (length < 0 || length > static_cast<int32_t>(kMostAddress)) {
    return fail(Errno::kEINVAL);
  }
  std::array<std::byte, kMostAddress> bytes{};
  const auto given = static_cast<uint32_t>(length);
  FL_TRY(task.user().read(std::span(bytes).first(given), from));
  uint16_t family = 0;
  std::memcpy(&family, bytes.data(), sizeof family);
  if (given < kFamilyBytes || given > kFamilyBytes + UnixName::kMostBytes || family != kAfUnix) {
    return fail(Errno::kEINVAL);
  }
  std::string name(reinterpret_cast<const char*>(bytes.data()) + kFamilyBytes, given - kFamilyBytes);
  // A name in the file tree ends at its NUL.
  return !name.empty() && name[0] != '\0' ? name.substr(0, name.find('\0')) : name;
}

Result<std::shared_ptr<UnixSocket>> find_socket(Kernel& kernel, const Task& task, const std::string& name,
                                                SocketType type) {
  if (name.empty()) {
    return fail(Errno::kEINVAL);
  }
  const UnixName* found = nullptr;
  if (name[0] == '\0') {
    found = kernel.ipc().unix_names.find(name, type);
  } else {
    FL_TRY_ASSIGN(const std::shared_ptr<const void> inode, kernel.vfs().socket_at(at_cwd(task), name));
    found = kernel.ipc().unix_names.find(inode.get());
  }
  if (found == nullptr) {
    return fail(NetErrno::kECONNREFUSED);
  }
  if (found->socket->type != type) {
    return fail(NetErrno::kEPROTOTYPE);
  }
  return found->socket->shared_from_this();
}

Status write_address(Task& task, const UnixName* name, VirtAddr to, VirtAddr length_at) {
  vm::UserAccess user = task.user();
  FL_TRY_ASSIGN(const auto room, user.get<int32_t>(length_at));
  if (room < 0) {
    return fail(Errno::kEINVAL);
  }
  std::array<std::byte, kFamilyBytes + UnixName::kMostBytes + 1> bytes{};
  bytes[0] = std::byte{kAfUnix};
  uint32_t length = kFamilyBytes;
  if (name != nullptr) {
    std::copy_n(reinterpret_cast<const std::byte*>(name->bytes.data()), name->length, bytes.begin() + kFamilyBytes);
    length += name->length + (name->bytes[0] != '\0' ? 1u : 0u);
  }
  const uint32_t stored = std::min(length, static_cast<uint32_t>(room));
  FL_TRY(user.write(to, std::span(bytes).first(stored)));
  return user.put(length_at, length);
}

Result<uint32_t> wait_on_socket(Kernel& kernel, Task& task, const std::shared_ptr<SocketFile>& file, WaitQueue& queue,
                                bool nonblocking, std::optional<uint64_t> timeout_ns, const char* what, uint32_t fd) {
  if (nonblocking) {
    return fail(Errno::kEAGAIN);
  }
  std::optional<uint64_t> deadline = task.wait.deadline_ns;
  if (!task.wait.resumed && timeout_ns) {
    deadline = kernel.time().now_ns() + *timeout_ns;
  }
  if (deadline && kernel.time().now_ns() >= *deadline) {
    return fail(Errno::kEAGAIN);
  }
  if (signal_pending(task)) {
    return fail(deadline ? Errno::kEINTR : kRestartSys);
  }
  queue.add(task.waiter);
  task.wait.file = file;
  return kernel.sleep(task, what, fd, deadline);
}

}  // namespace fl::guest

// Files of tracefs, reached through a descriptor of its root. See tracefs.hpp.
#include "emu/record/tracefs.hpp"

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/syscall.h>

#include <array>
#include <cerrno>
#include <charconv>

namespace fl::emu {
namespace {

// The same numbers on every architecture.
constexpr long kFsopen = 430, kFsconfig = 431, kFsmount = 432;

UniqueFd open_unmounted() {
  const UniqueFd context(static_cast<int>(::syscall(kFsopen, "tracefs", FSOPEN_CLOEXEC)));
  if (!context.open() ||
      ::syscall(kFsconfig, context.get(), static_cast<long>(FSCONFIG_CMD_CREATE), nullptr, nullptr, 0L) != 0) {
    return UniqueFd();
  }
  return UniqueFd(static_cast<int>(::syscall(kFsmount, context.get(), FSMOUNT_CLOEXEC, 0L)));
}

bool has_events(const UniqueFd& root) {
  return root.open() && ::faccessat(root.get(), "events/exceptions", R_OK | X_OK, 0) == 0;
}

}  // namespace

std::optional<Tracefs> Tracefs::open() {
  for (const char* path : {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"}) {
    UniqueFd root(::open(path, O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (has_events(root)) {
      return Tracefs(std::move(root));
    }
  }
  UniqueFd root = open_unmounted();
  return has_events(root) ? std::optional<Tracefs>(Tracefs(std::move(root))) : std::nullopt;
}

std::optional<std::string> Tracefs::read(const std::string& path) const {
  const UniqueFd file(::openat(root_.get(), path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.open()) {
    return std::nullopt;
  }
  std::string text;
  std::array<char, 4096> buffer;
  ssize_t n = 0;
  while ((n = ::read(file.get(), buffer.data(), buffer.size())) > 0) {
    text.append(buffer.data(), static_cast<size_t>(n));
  }
  return n < 0 ? std::nullopt : std::optional<std::string>(std::move(text));
}

std::optional<Tracepoint> Tracefs::find(std::string_view group, std::string_view name) const {
  const std::string folder = fmt::format("events/{}/{}/", group, name);
  const auto id = read(folder + "id");
  auto format = read(folder + "format");
  Tracepoint result;
  if (!id || !format || std::from_chars(id->data(), id->data() + id->size(), result.id).ec != std::errc{}) {
    return std::nullopt;
  }
  result.format = std::move(*format);
  return result;
}

int Tracefs::change_probes(const std::string& line) const {
  const UniqueFd file(::openat(root_.get(), "kprobe_events", O_WRONLY | O_APPEND | O_CLOEXEC));
  if (!file.open()) {
    return errno;
  }
  const std::string text = line + "\n";
  return ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0 : errno;
}

}  // namespace fl::emu

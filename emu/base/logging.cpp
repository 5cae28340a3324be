// Logger set-up. spdlog's own registry is the one table of loggers, so that lower layers find theirs without knowing
// emu.
#include "emu/base/logging.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <memory>
#include <optional>

namespace fl::emu {
namespace {

constexpr std::array<std::string_view, 15> kLoggers{"mmu",           "vm.fault",     "vm.mm",   "vm.phys", "vm.cache",
                                                    "vm.oom",        "vm.verify",    "loaders", "guest",   "guest.fs",
                                                    "guest.syscall", "guest.signal", "cpu",     "machine", "emu"};
constexpr std::array<std::string_view, 6> kLevels{"trace", "debug", "info", "warn", "error", "off"};

std::string join(std::span<const std::string_view> names) {
  return fmt::format("{}", fmt::join(names.begin(), names.end(), ", "));
}

std::optional<spdlog::level::level_enum> find_level(std::string_view name) {
  constexpr std::array<spdlog::level::level_enum, 6> kValues{spdlog::level::trace, spdlog::level::debug,
                                                             spdlog::level::info,  spdlog::level::warn,
                                                             spdlog::level::err,   spdlog::level::off};
  for (size_t i = 0; i < kLevels.size(); ++i) {
    if (kLevels[i] == name) {
      return kValues[i];
    }
  }
  return std::nullopt;
}

bool in_group(std::string_view logger, std::string_view name) {
  return name.empty() || logger == name ||
         (logger.size() > name.size() && logger.starts_with(name) && logger[name.size()] == '.');
}

HostStatus apply(std::string_view item) {
  const size_t equals = item.find('=');
  const std::string_view name = equals == std::string_view::npos ? std::string_view{} : item.substr(0, equals);
  const std::string_view level_name = equals == std::string_view::npos ? item : item.substr(equals + 1);
  const auto level = find_level(level_name);
  if (!level) {
    return host_error("cannot set the log: {}: the level is one of {}", item, join(kLevels));
  }
  bool found = false;
  for (const std::string_view logger : kLoggers) {
    if (in_group(logger, name)) {
      spdlog::get(std::string(logger))->set_level(*level);
      found = true;
    }
  }
  if (!found) {
    return host_error("cannot set the log: {}: the subsystem is one of {}", item, join(kLoggers));
  }
  return {};
}

spdlog::sink_ptr make_sink() {
  auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  // No host time: two runs log the same.
  sink->set_pattern("[%n] %l: %v");
  return sink;
}

void make_logger(std::string_view name, const spdlog::sink_ptr& sink) {
  auto logger = std::make_shared<spdlog::logger>(std::string(name), sink);
  logger->set_level(spdlog::level::warn);
  spdlog::drop(std::string(name));
  spdlog::register_logger(std::move(logger));
}

}  // namespace

std::span<const std::string_view> logger_names() { return kLoggers; }

HostStatus set_up_logging(std::string_view spec) {
  const spdlog::sink_ptr sink = make_sink();
  for (const std::string_view name : kLoggers) {
    make_logger(name, sink);
  }
  // Messages that name no subsystem; spdlog's own default would write to the guest's standard output.
  spdlog::set_default_logger(spdlog::get("emu"));
  while (!spec.empty()) {
    const size_t comma = spec.find(',');
    FL_HOST_TRY(apply(spec.substr(0, comma)));
    spec = comma == std::string_view::npos ? std::string_view{} : spec.substr(comma + 1);
  }
  return {};
}

void add_missing_loggers() {
  const spdlog::sink_ptr sink = make_sink();
  for (const std::string_view name : kLoggers) {
    if (spdlog::get(std::string(name)) == nullptr) {
      make_logger(name, sink);
    }
  }
}

}  // namespace fl::emu

// The loggers of this layer: "guest", "guest.syscall", "guest.signal", "guest.fs". The emulator registers and
// configures them; without it (unit tests) spdlog's default logger takes their messages. Not for hot paths: each call
// looks up a name.
#pragma once

#include <spdlog/spdlog.h>

#include <memory>
#include <string>

namespace fl::guest {

inline std::shared_ptr<spdlog::logger> logger(const std::string& name) {
  std::shared_ptr<spdlog::logger> found = spdlog::get(name);
  return found != nullptr ? found : spdlog::default_logger();
}

}  // namespace fl::guest

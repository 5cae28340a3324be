// BootLog: what the kernel says while it boots, line by line, in the words of dmesg and without time stamps. Linux
// counterpart: printk before there is a console.
#pragma once

#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

namespace fl::vm {

class BootLog {
 public:
  template <typename... Args>
  void add(fmt::format_string<Args...> format, Args&&... args) {
    lines_.push_back(fmt::format(format, std::forward<Args>(args)...));
  }
  const std::vector<std::string>& lines() const { return lines_; }

 private:
  std::vector<std::string> lines_;
};

}  // namespace fl::vm

// CommandParser: what one command (`run`, `record`, ...) adds to the command line.
//
// A new command is a file pair with its options (plain data) and a parser, a member of Command in options.hpp, a line
// in the table of options.cpp, and a case in main.cpp.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "emu/cli/options.hpp"

namespace CLI {
class App;
}

namespace fl::emu {

class CommandParser {
 public:
  // For --help, except the last.
  struct Texts {
    const char* name;         // "run"
    const char* usage;        // what follows "faultline run "
    const char* description;  // one line
    const char* footer;       // an example and the exit statuses
    int usage_status;         // exit status if the command line cannot be used
  };
  virtual ~CommandParser() = default;
  virtual Texts texts() const = 0;
  virtual void declare(CLI::App& app) = 0;
  // After CLI11 has read the options. `program` is PROGRAM and its arguments, empty if none was given; the name of one
  // that was given is not empty.
  virtual HostResult<Command> interpret(std::vector<std::string> program) = 0;
};

std::unique_ptr<CommandParser> make_run_parser();
std::unique_ptr<CommandParser> make_compare_parser();
std::unique_ptr<CommandParser> make_record_parser();

}  // namespace fl::emu

// faultline-record32: the recorder alone, as a static 32-bit program that needs nothing but a kernel. It makes the
// reference records of i386 kernels.
//
//   faultline-record32 [--runs N] [--clear-env] [--env N=V]... [--stdin FILE] --output FILE [--] PROGRAM [ARGS...]
//
// Exit status as `faultline record`.
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <string>
#include <string_view>

#include "emu/record/record_file.hpp"
#include "emu/record/record_program.hpp"

namespace {

using namespace fl::emu;

constexpr const char* kUsage =
    "usage: faultline-record32 [--runs N] [--clear-env] [--env N=V]... [--stdin FILE] --output FILE [--] PROGRAM "
    "[ARGS...]\n";

int usage() {
  std::fputs(kUsage, stderr);
  return kExitUsage;
}

int fail(const HostError& error) {
  std::fprintf(stderr, "faultline-record32: %s\n", error.message.c_str());
  return error.status;
}

bool parse_runs(std::string_view text, uint32_t& runs) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), runs);
  return error == std::errc{} && end == text.data() + text.size() && runs > 0 && runs <= kMostRuns;
}

}  // namespace

int main(int argc, char** argv) {
  RecordRequest request;
  std::string output;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    request.environment.emplace_back(*variable);
  }
  int i = 1;
  for (; i < argc && argv[i][0] == '-'; ++i) {
    const std::string_view option = argv[i];
    if (option == "--") {
      ++i;
      break;
    }
    if (option == "--clear-env") {
      request.environment.clear();
      continue;
    }
    if (i + 1 == argc) {
      return usage();
    }
    const std::string value = argv[++i];
    if (option == "--runs") {
      if (!parse_runs(value, request.runs)) {
        return usage();
      }
    } else if (option == "--env") {
      request.environment.push_back(value);
    } else if (option == "--stdin") {
      request.stdin_path = value;
    } else if (option == "--output") {
      output = value;
    } else {
      return usage();
    }
  }
  request.command.assign(argv + i, argv + argc);
  if (request.command.empty() || output.empty()) {
    return usage();
  }
  const auto record = record_program(request);
  if (!record) {
    return fail(record.error());
  }
  if (const auto written = write_record(output, *record); !written) {
    return fail(written.error());
  }
  std::fprintf(stderr, "%s: minor %llu, major %llu, %zu in the list, %u of %u runs\n", request.command[0].c_str(),
               static_cast<unsigned long long>(record->minflt), static_cast<unsigned long long>(record->majflt),
               record->faults.size(), record->agreeing, record->runs);
  return 0;
}

// faultline-record32: the recorder alone, as a static 32-bit program that needs nothing but a kernel. It makes the
// reference records of i386 kernels; faultline-record64 is the same for x86-64 ones.
//
//   faultline-record32 [--runs N] [--clear-env] [--env N=V]... [--stdin FILE] [--renew COPY=ORIGINAL]
//                      [--other FILE]... --output FILE [--] PROGRAM [ARGS...]
//
// --other: a program that PROGRAM starts. --renew: before each run COPY is made anew from ORIGINAL, for programs that
// write to it. Exit status as `faultline record`.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <string>
#include <string_view>

#include "emu/record/record_file.hpp"
#include "emu/record/record_program.hpp"
#include "emu/record/unique_fd.hpp"

namespace {

using namespace fl::emu;

constexpr const char* kUsage =
    "usage: faultline-record32 [--runs N] [--clear-env] [--env N=V]... [--stdin FILE] [--renew COPY=ORIGINAL] "
    "[--other FILE]... --output FILE [--] PROGRAM [ARGS...]\n";

int usage() {
  std::fputs(kUsage, stderr);
  return kExitUsage;
}

int fail(const HostError& error) {
  std::fprintf(stderr, "faultline-record32: %s\n", error.message.c_str());
  return error.status;
}

// In writes of one page, so that the page cache holds single pages, as the suite's files have them.
HostStatus renew(const std::string& copy, const std::string& original) {
  std::ifstream in(original, std::ios::binary);
  ::unlink(copy.c_str());
  const UniqueFd out(::open(copy.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  std::array<char, 4096> page{};
  while (in.read(page.data(), page.size()), in.gcount() > 0) {
    if (::write(out.get(), page.data(), static_cast<size_t>(in.gcount())) != in.gcount()) {
      return host_error("cannot write {}", copy);
    }
  }
  return in.eof() ? HostStatus() : host_error("cannot read {}", original);
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
    } else if (option == "--renew" && value.find('=') != std::string::npos) {
      const std::string copy = value.substr(0, value.find('=')), original = value.substr(copy.size() + 1);
      request.before_run = [copy, original] { return renew(copy, original); };
    } else if (option == "--other") {
      request.others.push_back(value);
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

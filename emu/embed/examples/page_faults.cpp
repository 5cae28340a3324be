// page_faults [--trace] [FILE]: walks a list of accesses through faultline::vm, without any processor, and says which
// page faults Linux would make of each step. Without FILE it takes the list below; its numbers are what real Linux
// counts.
#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <faultline/vm.hpp>

namespace {

// map NAME PAGES: private anonymous memory; file NAME PAGES, shared NAME PAGES: a private, a shared mapping of a file;
// read|write|exec NAME FIRST COUNT: one access to each of these pages; dontneed NAME, unmap NAME;
// fork: goes on in a child; exit: back in its parent; reclaim PAGES: memory is taken from whoever uses it least.
constexpr const char* kList = R"(
map a 64
read a 0 64
read a 0 64
write a 0 64
write a 0 64
dontneed a
write a 0 64
exec a 0 1
file f 256
read f 0 256
write f 0 64
shared s 32
write s 0 32
fork
write a 0 16
read a 16 48
exit
write a 0 64
reclaim 400
read a 0 64
unmap a
read a 0 1
)";

class Walker {
 public:
  Walker(faultline::Vm vm, bool trace) : vm_(std::move(vm)), trace_(trace) {
    processes_.push_back(vm_.new_process().value());
  }

  // Makes one step; false: it is none.
  bool step(const std::string& line) {
    std::istringstream words(line);
    std::string what, name;
    uint32_t first = 0, count = 0;
    words >> what;
    faultline::Process& process = processes_.back();
    std::vector<faultline::Fault> faults;
    if (what == "map" || what == "file" || what == "shared") {
      words >> name >> count;
      faultline::MapRequest request{.length = count * faultline::kPageSize};
      if (what != "map") {
        files_.push_back(vm_.new_file(name, std::vector<std::byte>(request.length, std::byte{7})).value());
        request.file = &files_.back();
        request.flags = what == "file" ? faultline::MapFlag::kPrivate : faultline::MapFlag::kShared;
      }
      areas_[name] = {process.map(request).value(), request.length};
    } else if (what == "read" || what == "write" || what == "exec") {
      words >> name >> first >> count;
      const auto access = what == "read"    ? faultline::Access::kRead
                          : what == "write" ? faultline::Access::kWrite
                                            : faultline::Access::kFetch;
      for (uint32_t page = first; page < first + count; ++page) {
        faultline::Touch touch = process.touch(areas_.at(name).address + page * faultline::kPageSize, access);
        faults.insert(faults.end(), touch.faults.begin(), touch.faults.end());
      }
    } else if (what == "dontneed" || what == "unmap") {
      words >> name;
      const auto [address, length] = areas_.at(name);
      what == "unmap" ? process.unmap(address, length) : process.advise(address, length, faultline::Advice::kDontNeed);
    } else if (what == "fork") {
      processes_.push_back(process.fork().value());
    } else if (what == "exit" && processes_.size() > 1) {
      processes_.pop_back();
    } else if (what == "reclaim") {
      words >> count;
      vm_.reclaim(count);
    } else {
      return false;
    }
    report(line, faults);
    return true;
  }

  const faultline::Vm& vm() const { return vm_; }

 private:
  struct Place {
    uint32_t address = 0, length = 0;
  };

  void report(const std::string& line, const std::vector<faultline::Fault>& faults) {
    std::map<std::string_view, int> causes;
    for (const faultline::Fault& fault : faults) {
      ++causes[fault.cause];
      if (trace_) {
        std::printf("  %08x %-5s %-12s %s entry %08x -> %08x\n", fault.page(), name_of(fault.access).data(),
                    name_of(fault.result).data(), fault.cause.data(), fault.entry_before, fault.entry_after);
      }
    }
    std::printf("%-16s %4zu faults", line.c_str(), faults.size());
    for (const auto& [cause, count] : causes) {
      std::printf("  %s %d", cause.data(), count);
    }
    std::printf("\n");
  }

  faultline::Vm vm_;
  bool trace_;
  std::vector<faultline::Process> processes_;  // the last one runs
  std::vector<faultline::File> files_;
  std::map<std::string, Place> areas_;
};

}  // namespace

int main(int argc, char** argv) {
  const bool trace = argc > 1 && std::strcmp(argv[1], "--trace") == 0;
  std::ifstream file(argc > 1 + trace ? argv[1 + trace] : "/dev/null");
  std::istringstream built_in(kList);
  std::istream& list = argc > 1 + trace ? static_cast<std::istream&>(file) : built_in;
  auto vm = faultline::Vm::create({.ram_bytes = 16 << 20, .swap_bytes = 8 << 20});
  if (!vm || !list) {
    std::fprintf(stderr, "page_faults: %s\n", vm ? "cannot read the list" : vm.error().message.c_str());
    return 1;
  }
  Walker walker(std::move(*vm), trace);
  for (std::string line; std::getline(list, line);) {
    if (!line.empty() && !walker.step(line)) {
      std::fprintf(stderr, "page_faults: no step: %s\n", line.c_str());
      return 1;
    }
  }
  const faultline::VmCounters counters = walker.vm().counters();
  std::printf("%d minor, %d major, %u frames in use at most, %zu broken invariants\n",
              static_cast<int>(counters.faults.minor), static_cast<int>(counters.faults.major), counters.peak_used,
              walker.vm().verify().size());
}

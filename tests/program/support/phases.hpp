// Table-driven tests of programs that count their own faults by phase (tests/guest_programs/support/guest.h).
//
// A case lists the number that real Linux gave for each phase (measured on x86-64 6.18, ext4, and in agreement with the
// fault rules, which hold for i386 6.1 too). Natively, where the host can, the program must still give these numbers;
// under faultline always, together with the same output and the same total as natively; and under faultline's 6.1-i386.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fl::test {

struct Phase {
  std::string name;
  long minor = 0;
  long major = 0;
};

struct PhaseCase {
  std::string_view program;
  std::vector<Phase> real;
  std::vector<std::string> other_output = {};  // lines of the output that are no phases
  enum class DataFile { kNo, kReadOnly, kWritable } data_file = DataFile::kNo;
  std::vector<Phase> i386_6_1 = {};  // phases whose number is another on i386 6.1
  bool needs_ext4 = false;           // the numbers belong to ext4
  bool needs_6_18 = false;           // the numbers belong to this kernel's vDSO or mm
};

// Checks the case in each flavour, natively and under faultline, in sections named "glibc, native" and so on.
void check_phases(const PhaseCase& test);

}  // namespace fl::test

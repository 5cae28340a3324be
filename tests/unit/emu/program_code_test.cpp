// What the instructions in a program's file do to memory.
#include "emu/cpu/program_code.hpp"

#include <unistd.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <fstream>

#include "tests/support/good_elf.hpp"

namespace fl::emu {
namespace {

namespace fs = std::filesystem;

// mov eax, [d]; mov [d], eax; inc dword [d]; push dword [d]; nop
constexpr std::array<uint8_t, 23> kCode = {0xa1, 0,    0xa0, 4, 8,    0xa3, 0, 0xa0, 4, 8,    0xff, 0x05,
                                           0,    0xa0, 4,    8, 0xff, 0x35, 0, 0xa0, 4, 0x08, 0x90};

class ProgramFile {
 public:
  explicit ProgramFile(uint16_t type) : path_(fs::temp_directory_path() / ("code_test_" + std::to_string(::getpid()))) {
    auto bytes = test::good_elf();
    std::ranges::copy(std::as_bytes(std::span(kCode)), bytes.begin() + test::kTextOffset);
    bytes[offsetof(Elf32_Ehdr, e_type)] = static_cast<std::byte>(type);
    std::ofstream(path_, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
  ProgramFile(const ProgramFile&) = delete;
  ProgramFile& operator=(const ProgramFile&) = delete;
  ~ProgramFile() { fs::remove(path_); }
  std::string path() const { return path_.string(); }

 private:
  fs::path path_;
};

}  // namespace

TEST_CASE("program code: the access is known if all operands make the same one") {
  const ProgramFile file(ET_EXEC);
  ProgramCode code(file.path());
  constexpr uint32_t kStart = test::kTextAddress + test::kTextOffset;
  CHECK(code.access_at(kStart) == mmu::Access::kRead);
  CHECK(code.access_at(kStart + 5) == mmu::Access::kWrite);
  CHECK(code.access_at(kStart + 10) == mmu::Access::kWrite);  // reads and writes: one write fault
  CHECK_FALSE(code.access_at(kStart + 16).has_value());       // reads memory, writes the stack
  CHECK_FALSE(code.access_at(kStart + 22).has_value());
  CHECK_FALSE(code.access_at(0).has_value());
  CHECK_FALSE(code.access_at(0xffffffff).has_value());
}

TEST_CASE("program code: a program without a fixed address, or no program, gives no answers") {
  const ProgramFile file(ET_DYN);
  CHECK_FALSE(ProgramCode(file.path()).access_at(test::kTextAddress + test::kTextOffset).has_value());
  CHECK_FALSE(ProgramCode("/nonexistent").access_at(0x8048000).has_value());
  CHECK_FALSE(ProgramCode("/").access_at(0x8048000).has_value());
}

}  // namespace fl::emu

// Looking at and warming the program's file. See program_file.hpp.
#include "emu/record/program_file.hpp"

#include <elf.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include <array>
#include <cstring>

#include "emu/record/unique_fd.hpp"

namespace fl::emu {

bool is_i386_program(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  Elf32_Ehdr header{};
  return file.open() && ::read(file.get(), &header, sizeof header) == sizeof header &&
         std::memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 && header.e_ident[EI_CLASS] == ELFCLASS32 &&
         header.e_machine == EM_386;
}

bool host_runs_i386() {
  struct {
    Elf32_Ehdr header{};
    Elf32_Phdr segment{};
    std::array<uint8_t, 7> code{0x31, 0xdb, 0x8d, 0x43, 0x01, 0xcd, 0x80};  // ebx = 0, eax = 1: exit(0)
  } program;
  constexpr uint32_t kBase = 0x08048000;
  std::memcpy(program.header.e_ident, ELFMAG, SELFMAG);
  program.header.e_ident[EI_CLASS] = ELFCLASS32;
  program.header.e_ident[EI_DATA] = ELFDATA2LSB;
  program.header.e_ident[EI_VERSION] = EV_CURRENT;
  program.header.e_type = ET_EXEC;
  program.header.e_machine = EM_386;
  program.header.e_version = EV_CURRENT;
  program.header.e_entry = kBase + sizeof program.header + sizeof program.segment;
  program.header.e_phoff = sizeof program.header;
  program.header.e_ehsize = sizeof program.header;
  program.header.e_phentsize = sizeof program.segment;
  program.header.e_phnum = 1;
  program.segment = {PT_LOAD, 0, kBase, kBase, sizeof program, sizeof program, PF_R | PF_X, 4096};
  const UniqueFd file(::memfd_create("faultline-probe", MFD_CLOEXEC));
  if (!file.open() || ::write(file.get(), &program, sizeof program) != sizeof program) {
    return false;
  }
  const std::string path = fmt::format("/proc/self/fd/{}", file.get());
  std::string name = "probe";
  std::array<char*, 2> arguments{name.data(), nullptr};
  pid_t pid = 0;
  int status = -1;
  return ::posix_spawn(&pid, path.c_str(), nullptr, nullptr, arguments.data(), environ) == 0 &&
         ::waitpid(pid, &status, 0) == pid && status == 0;
}

std::string filesystem_of(const std::string& path) {
  struct statfs info {};
  if (::statfs(path.c_str(), &info) != 0) {
    return {};
  }
  struct Name {
    uint32_t magic;
    const char* name;
  };
  constexpr std::array kNames{Name{0xef53, "ext4"},         Name{0x01021994, "tmpfs"}, Name{0x858458f6, "ramfs"},
                              Name{0x58465342, "xfs"},      Name{0x9123683e, "btrfs"}, Name{0x794c7630, "overlay"},
                              Name{0x73717368, "squashfs"}, Name{0x6969, "nfs"},       Name{0xf2f52010, "f2fs"},
                              Name{0x9660, "iso9660"},      Name{0xe0f5e1e2, "erofs"}, Name{0x01021997, "9p"}};
  const auto magic = static_cast<uint32_t>(info.f_type);
  for (const Name& one : kNames) {
    if (one.magic == magic) {
      return one.name;
    }
  }
  return fmt::format("{:#x}", magic);
}

void cache_page_by_page(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.open()) {
    return;
  }
  ::fdatasync(file.get());
  ::posix_fadvise(file.get(), 0, 0, POSIX_FADV_DONTNEED);
  ::posix_fadvise(file.get(), 0, 0, POSIX_FADV_RANDOM);  // no readahead: it makes large folios
  std::array<char, 4096> page;
  for (off_t at = 0; ::pread(file.get(), page.data(), page.size(), at) > 0;) {
    at += static_cast<off_t>(page.size());
  }
}

}  // namespace fl::emu

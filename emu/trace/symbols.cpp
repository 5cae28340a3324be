// Symbol lookup through the program headers: file offset -> address in the ELF file -> symbol.
//
// The host file is opened below the guest's root and only if it is a regular file: a path of a guest is no reason to
// touch anything else.
#include "emu/trace/symbols.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>

#include "loaders/elf/elf.hpp"
#include "loaders/file_reader.hpp"
#include "loaders/vdso/vdso_image.hpp"
#include "vm/mm/address_space.hpp"

namespace fl::emu {
namespace {

class HostFile final : public loaders::FileReader {
 public:
  // Only the file that the guest has mapped: a tmpfs of its own may have the same path.
  HostFile(const std::string& root, const vm::MappedFile& mapped) {
    const int directory = open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) {
      return;
    }
    open_how how{};
    how.flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    fd_ = static_cast<int>(syscall(SYS_openat2, directory, std::string(mapped.path).c_str(), &how, sizeof how));
    close(directory);
    struct stat status {};
    if (fd_ >= 0 && (fstat(fd_, &status) != 0 || !S_ISREG(status.st_mode) || status.st_ino != mapped.inode ||
                     (uint64_t{major(status.st_dev)} << 32 | minor(status.st_dev)) != mapped.device)) {
      close(fd_);
      fd_ = -1;
    }
  }
  HostFile(const HostFile&) = delete;
  HostFile& operator=(const HostFile&) = delete;
  ~HostFile() override {
    if (fd_ >= 0) {
      close(fd_);
    }
  }
  bool is_open() const { return fd_ >= 0; }
  Result<size_t> read_at(uint64_t offset, std::span<std::byte> out) const override {
    size_t done = 0;
    while (done < out.size()) {
      const ssize_t got = pread(fd_, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
      if (got < 0 && errno != EINTR) {
        return fail(errno_from_host(errno));
      }
      if (got == 0) {
        break;
      }
      done += got > 0 ? static_cast<size_t>(got) : 0;
    }
    return done;
  }

 private:
  int fd_ = -1;
};

std::vector<loaders::ElfProgramHeader> load_segments(const loaders::FileReader& file) {
  std::vector<loaders::ElfProgramHeader> segments;
  constexpr uint32_t kPtLoad = 1;
  if (auto image = loaders::parse_elf(file)) {
    for (const loaders::ElfProgramHeader& header : image->program_headers) {
      if (header.p_type == kPtLoad) {
        segments.push_back(header);
      }
    }
  }
  return segments;
}

}  // namespace

SymbolResolver::SymbolResolver(std::string root, const vm::KernelProfile& profile)
    : root_(std::move(root)), cache_(kEntries) {
  const loaders::MemoryReader image(loaders::vdso_image(profile).bytes);
  vdso_.symbols = loaders::ElfSymbols::read(image);
  vdso_.segments = load_segments(image);
}

SymbolResolver::~SymbolResolver() = default;

SymbolName SymbolResolver::Module::lookup(uint64_t file_offset) const {
  for (const loaders::ElfProgramHeader& segment : segments) {
    // Pages are mapped whole, so what stands around a segment in the file is visible with it.
    const uint64_t start = segment.p_offset & ~uint64_t{kPageOffsetMask};
    const uint64_t end = page_align_up(uint64_t{segment.p_offset} + segment.p_filesz);
    if (file_offset >= start && file_offset < end) {
      const auto address = static_cast<uint32_t>(segment.p_vaddr + file_offset - segment.p_offset);
      if (const auto found = symbols.lookup(VirtAddr(address))) {
        return {found->name, found->offset};
      }
    }
  }
  return {};
}

std::unique_ptr<SymbolResolver::Module> SymbolResolver::load(const vm::MappedFile& file) const {
  auto module = std::make_unique<Module>();
  module->path = file.path;
  module->device = file.device;
  module->inode = file.inode;
  const HostFile host(root_, file);
  if (host.is_open()) {
    module->symbols = loaders::ElfSymbols::read(host);
    module->segments = load_segments(host);
  }
  return module;
}

const SymbolResolver::Module& SymbolResolver::module_of(const vm::VmArea& area) {
  if (area.file == nullptr) {
    return vdso_;
  }
  const vm::MappedFile& file = *area.file;
  const auto same = [&file](const Module& module) {
    return module.inode == file.inode && module.device == file.device && module.path == file.path;
  };
  if (last_ != nullptr && same(*last_)) {
    return *last_;
  }
  for (const auto& module : modules_) {
    if (same(*module)) {
      last_ = module.get();
      return *last_;
    }
  }
  modules_.push_back(load(file));
  last_ = modules_.back().get();
  return *last_;
}

SymbolName SymbolResolver::lookup(const vm::VmArea& area, VirtAddr address) {
  const bool vdso = area.special != nullptr && area.special->name == "[vdso]";
  if (area.file == nullptr && !vdso) {
    return {};
  }
  const Module& module = module_of(area);
  const uint64_t base = area.file != nullptr ? uint64_t{area.pgoff} << kPageShift : 0;
  const uint64_t file_offset = base + (address - area.start);
  Entry& entry = cache_[(address.value() ^ (address.value() >> 12)) % kEntries];
  if (entry.module != &module || entry.file_offset != file_offset) {
    entry = {&module, file_offset, module.lookup(file_offset)};
  }
  return entry.symbol;
}

}  // namespace fl::emu

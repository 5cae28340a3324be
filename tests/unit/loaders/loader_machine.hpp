// A small machine for the tests of exec: RAM, a booted memory system, files in memory, a record of every fault.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "loaders/exec.hpp"
#include "mmu/mmu.hpp"
#include "mmu/ram.hpp"
#include "vm/cache/backing_store.hpp"
#include "vm/cache/mapping.hpp"
#include "vm/memory_system.hpp"
#include "vm/user_access.hpp"

namespace fl::loaders::test {

using Bytes = std::vector<std::byte>;

class MemoryStore final : public vm::BackingStore {
 public:
  explicit MemoryStore(Bytes bytes) : bytes_(std::move(bytes)) {}
  uint64_t size() const override { return bytes_.size(); }
  Status read_pages(uint64_t first, std::span<std::byte* const> pages) override {
    uint64_t offset = first << kPageShift;
    for (std::byte* page : pages) {
      const uint64_t rest = offset < bytes_.size() ? std::min<uint64_t>(bytes_.size() - offset, kPageSize) : 0;
      std::copy_n(bytes_.data() + (rest != 0 ? offset : 0), rest, page);
      std::fill_n(page + rest, kPageSize - rest, std::byte{0});
      offset += kPageSize;
    }
    return {};
  }
  Status write_page(uint64_t, std::span<const std::byte, 4096>) override { return fail(Errno::kEIO); }

 private:
  Bytes bytes_;
};

class NoTlb final : public mmu::TlbPort {
 public:
  void flush() override {}
  void code_changed(Pfn) override {}
};

class FaultLog final : public vm::FaultObserver {
 public:
  // "kernel write 0804a minor", in order.
  std::vector<std::string> lines;
  void on_fault(const vm::FaultRecord& record) override {
    lines.push_back(fmt::format("{} {} {:05x}{}", vm::mode_name(record.mode), vm::access_name(record.access),
                                record.addr.vpn(), record.counted() ? "" : " refused"));
  }
};

// Files by path. A directory of the host is one here too.
class MemoryFiles final : public ProgramOpener {
 public:
  explicit MemoryFiles(vm::MemorySystem& memory) : memory_(memory) {}
  std::shared_ptr<const vm::MappedFile> add(const std::string& path, Bytes bytes) {
    auto file = std::make_shared<vm::MappedFile>();
    file->mapping = *vm::Mapping::for_file(memory_, std::make_shared<MemoryStore>(std::move(bytes)));
    const auto name = std::make_shared<const std::string>(path);
    file->path = *name;
    file->path_owner = name;
    files_[path] = file;
    return file;
  }
  std::shared_ptr<const vm::MappedFile> add_text(const std::string& path, const std::string& text) {
    const auto* data = reinterpret_cast<const std::byte*>(text.data());
    return add(path, Bytes(data, data + text.size()));
  }
  Result<std::shared_ptr<const vm::MappedFile>> open_program(const std::string& path) override {
    const auto file = files_.find(path);
    if (std::filesystem::is_directory(path)) {
      return fail(Errno::kEACCES);
    }
    if (file == files_.end()) {
      return fail(Errno::kENOENT);
    }
    return file->second;
  }

 private:
  vm::MemorySystem& memory_;
  std::map<std::string, std::shared_ptr<const vm::MappedFile>> files_;
};

class LoaderMachine {
 public:
  explicit LoaderMachine(const vm::KernelProfile& profile = vm::KernelProfile::i386_6_1(), uint32_t frames = 4096)
      : ram_(*mmu::Ram::create(frames)),
        mmu_(ram_, profile.no_execute),
        memory_(*vm::MemorySystem::boot(ram_, mmu_, tlb_, profile)),
        files(*memory_) {
    memory_->set_observer(&log);
    // Smaller than what programs may ask for.
    memory_->overcommit().set_settings({.mode = vm::OvercommitMode::kAlways});
    new_space({});
    vdso_ = *VdsoImage::create(*memory_);
  }

  vm::MemorySystem& memory() { return *memory_; }
  vm::AddressSpace& mm() { return *mm_; }
  // Frames that are free or can be: the page cache and the slabs hold the others.
  uint32_t unlost_frames() {
    const vm::SlabAllocator& slab = memory_->slab();
    return memory_->pages().free_frames() + memory_->cache().cached_pages() + slab.unreclaimable_pages() +
           slab.reclaimable_pages();
  }
  const VdsoImage& vdso() const { return *vdso_; }
  void new_space(const vm::MemoryLimits& limits) {
    mm_.reset();
    mm_ = *vm::AddressSpace::create(*memory_, limits);
    log.lines.clear();
  }

  // A request to run `file` (added under its path) with argv = {path} and envp = {"A=1"}.
  ExecRequest request(const std::shared_ptr<const vm::MappedFile>& file) {
    ExecRequest request;
    request.file = file;
    request.path = file->path;
    request.argv = {std::string(file->path)};
    request.envp = {"A=1"};
    request.opener = &files;
    request.vdso = vdso_.get();
    for (size_t i = 0; i < request.at_random.size(); ++i) {
      request.at_random[i] = static_cast<std::byte>(i + 1);
    }
    return request;
  }
  Result<LoadedProgram> load(const ExecRequest& request) { return load_program(*mm_, request, counters); }

  // "08048000-08049000 r--p 0 name", one for each area.
  std::vector<std::string> maps() const {
    std::vector<std::string> lines;
    for (const vm::VmArea* area = mm_->areas().first(); area != nullptr; area = area->next) {
      std::string name = "";
      if (area->special != nullptr) {
        name = area->special->name;
      } else if (area->file != nullptr) {
        name = area->file->path;
      } else if (area->has(vm::VmFlag::kGrowsDown)) {
        name = "[stack]";
      }
      const uint32_t offset = area->file != nullptr ? area->pgoff : 0;
      lines.push_back(fmt::format("{:08x}-{:08x} {} {:x} {}", area->start.value(), area->end.value(),
                                  vm::permissions(*area), offset, name));
    }
    return lines;
  }

  uint32_t word(VirtAddr at) { return vm::UserAccess(*mm_, other_).get<uint32_t>(at).value(); }
  std::string text(VirtAddr at) { return vm::UserAccess(*mm_, other_).string(at, 1u << 20).value(); }

 private:
  mmu::Ram ram_;
  mmu::Mmu mmu_;
  NoTlb tlb_;
  std::unique_ptr<vm::MemorySystem> memory_;
  vm::FaultCounters other_;  // faults that the test itself makes
  std::unique_ptr<VdsoImage> vdso_;

 public:
  MemoryFiles files;
  FaultLog log;
  vm::FaultCounters counters;

 private:
  vm::AddressSpace::Ptr mm_;  // dies before the files that it maps
};

// The words from the stack pointer on, taken apart as a program's start-up code does.
struct StackContents {
  std::vector<std::string> argv, envp;
  std::vector<std::pair<uint32_t, uint32_t>> auxv;  // without AT_NULL
  VirtAddr argv0;
  uint32_t aux(uint32_t type) const {
    for (const auto& [key, value] : auxv) {
      if (key == type) {
        return value;
      }
    }
    FAIL("no auxv entry " << type);
    return 0;
  }
};

inline StackContents read_stack(LoaderMachine& machine, VirtAddr sp) {
  StackContents contents;
  const uint32_t argc = machine.word(sp);
  VirtAddr at = sp + 4;
  contents.argv0 = VirtAddr(machine.word(at));
  for (uint32_t i = 0; i < argc; ++i, at += 4) {
    contents.argv.push_back(machine.text(VirtAddr(machine.word(at))));
  }
  REQUIRE(machine.word(at) == 0);
  for (at += 4; machine.word(at) != 0; at += 4) {
    contents.envp.push_back(machine.text(VirtAddr(machine.word(at))));
  }
  for (at += 4; machine.word(at) != 0; at += 8) {
    contents.auxv.emplace_back(machine.word(at), machine.word(at + 4));
  }
  return contents;
}

}  // namespace fl::loaders::test

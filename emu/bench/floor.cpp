// The engine of the floor, its program loader and its system calls.
#include "emu/bench/floor.hpp"

#include <elf.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unicorn/unicorn.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>

#include "emu/cpu/block_counter.hpp"
#include "emu/cpu/cpu_model.hpp"

namespace fl::emu::bench {
namespace {

constexpr uint64_t kMemory = uint64_t{3} << 30;
constexpr uint32_t kPage = 4096;
constexpr uint32_t kStackTop = 0xbfff0000, kMmapTop = 0xb0000000;
constexpr uint32_t kGdt = 0xbfff8000;
// Ring 0 is enough here. Entry 1 code, 2 data, 6 the thread's segment, as in Linux.
constexpr uint32_t kCodeSelector = 0x08, kDataSelector = 0x10, kTlsEntry = 6;
constexpr uint64_t kMaxEntries = 16384;

class Floor {
 public:
  explicit Floor(const std::vector<std::string>& argv) {
    memory_ = static_cast<uint8_t*>(
        mmap(nullptr, kMemory, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    if (memory_ == MAP_FAILED) {
      throw std::string("no memory");
    }
    // As mmu::Ram does.
    madvise(memory_, kMemory, MADV_HUGEPAGE);
    check(uc_open(UC_ARCH_X86, UC_MODE_32, &uc_));
    check(uc_ctl_set_cpu_model(uc_, UC_CPU_X86_SANDYBRIDGE));
    check(uc_ctl_set_tcg_buffer_size(uc_, 64u << 20));
    check(uc_ctl_tlb_mode(uc_, UC_TLB_VIRTUAL));
    check(uc_ctl_exits_enable(uc_));
    check(uc_mem_map_ptr(uc_, 0, kMemory, UC_PROT_ALL, memory_));
    add_hook(UC_HOOK_TLB_FILL, reinterpret_cast<void*>(&fill));
    add_hook(UC_HOOK_INTR, reinterpret_cast<void*>(&interrupt));
    uc_hook hook;
    check(uc_hook_add(uc_, &hook, UC_HOOK_INSN, reinterpret_cast<void*>(&cpuid), this, 1, 0, UC_X86_INS_CPUID));
    set_up_segments();
    load(argv[0]);
    write_stack(argv);
  }
  Floor(const Floor&) = delete;
  Floor& operator=(const Floor&) = delete;
  ~Floor() {
    uc_close(uc_);
    munmap(memory_, kMemory);
  }

  int run() {
    fl_block_gate = {0, ~uint64_t{0}};
    const uc_err error = uc_emu_start(uc_, entry_, 0, 0, 0);
    if (!exited_) {
      throw fmt::format("stopped at {:#x}: {}", get(UC_X86_REG_EIP), uc_strerror(error));
    }
    return exit_status_;
  }

 private:
  static void check(uc_err error) {
    if (error != UC_ERR_OK) {
      throw std::string(uc_strerror(error));
    }
  }
  void add_hook(int type, void* callback) {
    uc_hook hook;
    check(uc_hook_add(uc_, &hook, type, callback, this, 1, 0));
  }
  uint32_t get(int reg) {
    uint32_t value = 0;
    uc_reg_read(uc_, reg, &value);
    return value;
  }
  void set(int reg, uint32_t value) { check(uc_reg_write(uc_, reg, &value)); }
  void put(uint32_t va, uint32_t value) { std::memcpy(memory_ + va, &value, 4); }

  void set_descriptor(uint32_t entry, uint32_t base, uint32_t type) {
    put(kGdt + entry * 8, base << 16 | 0xffff);
    put(kGdt + entry * 8 + 4, (base & 0xff000000) | 0x00cf0000 | type << 8 | ((base >> 16) & 0xff));
  }
  void set_up_segments() {
    set_descriptor(kCodeSelector / 8, 0, 0x9b);
    set_descriptor(kDataSelector / 8, 0, 0x93);
    uc_x86_mmr gdtr{};
    gdtr.base = kGdt;
    gdtr.limit = 0xff;
    check(uc_reg_write(uc_, UC_X86_REG_GDTR, &gdtr));
    constexpr uint32_t kFxsaveAndSse = 0x600;
    set(UC_X86_REG_CR4, kFxsaveAndSse);
    set(UC_X86_REG_CS, kCodeSelector);
    for (const int reg : {UC_X86_REG_SS, UC_X86_REG_DS, UC_X86_REG_ES}) {
      set(reg, kDataSelector);
    }
  }

  void load(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    const std::vector<char> file{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    Elf32_Ehdr header;
    if (file.size() < sizeof header) {
      throw "cannot read " + path;
    }
    std::memcpy(&header, file.data(), sizeof header);
    if (header.e_machine != EM_386 || header.e_type != ET_EXEC ||
        header.e_phoff + header.e_phnum * sizeof(Elf32_Phdr) > file.size()) {
      throw path + " is no static i386 program";
    }
    entry_ = header.e_entry;
    program_headers_count_ = header.e_phnum;
    for (uint32_t at = 0; at < header.e_phnum; ++at) {
      Elf32_Phdr segment;
      std::memcpy(&segment, file.data() + header.e_phoff + at * sizeof segment, sizeof segment);
      if (segment.p_type != PT_LOAD) {
        continue;
      }
      if (uint64_t{segment.p_offset} + segment.p_filesz > file.size() ||
          uint64_t{segment.p_vaddr} + segment.p_memsz > kMmapTop) {
        throw path + " has a bad segment";
      }
      std::memcpy(memory_ + segment.p_vaddr, file.data() + segment.p_offset, segment.p_filesz);
      if (segment.p_offset <= header.e_phoff && header.e_phoff < segment.p_offset + segment.p_filesz) {
        program_headers_ = segment.p_vaddr + (header.e_phoff - segment.p_offset);
      }
      brk_ = std::max<uint32_t>(brk_, (segment.p_vaddr + segment.p_memsz + kPage - 1) & ~(kPage - 1));
    }
  }

  void write_stack(const std::vector<std::string>& argv) {
    uint32_t top = kStackTop;
    const auto string = [&](const std::string& text) {
      top -= static_cast<uint32_t>(text.size() + 1);
      std::memcpy(memory_ + top, text.c_str(), text.size() + 1);
      return top;
    };
    std::vector<uint32_t> words = {static_cast<uint32_t>(argv.size())};
    for (const std::string& argument : argv) {
      words.push_back(string(argument));
    }
    const uint32_t random = string("0123456789abcde");
    words.insert(words.end(), {0, 0});  // ends of argv and envp
    const std::vector<uint32_t> auxv = {AT_PHDR,   program_headers_,
                                        AT_PHENT,  sizeof(Elf32_Phdr),
                                        AT_PHNUM,  program_headers_count_,
                                        AT_PAGESZ, kPage,
                                        AT_ENTRY,  entry_,
                                        AT_UID,    0,
                                        AT_EUID,   0,
                                        AT_GID,    0,
                                        AT_EGID,   0,
                                        AT_SECURE, 0,
                                        AT_RANDOM, random,
                                        AT_HWCAP,  default_cpu().hwcap,
                                        AT_NULL,   0};
    words.insert(words.end(), auxv.begin(), auxv.end());
    uint32_t sp = (top - static_cast<uint32_t>(words.size() * 4)) & ~15u;
    std::memcpy(memory_ + sp, words.data(), words.size() * 4);
    set(UC_X86_REG_ESP, sp);
  }

  // The rights of emu/cpu/fill.cpp, with every page present, writable and dirty.
  static bool fill(uc_engine* uc, uint64_t va, uc_mem_type type, uc_tlb_entry* entry, void* self) {
    auto& floor = *static_cast<Floor*>(self);
    if (va >= kMemory) {
      return false;
    }
    PageState& page = floor.pages_[va / kPage];
    if (++floor.fills_ > floor.threshold_) {
      floor.flush();
      floor.threshold_ = std::min(floor.threshold_ * 2, 8 * kMaxEntries);
    }
    uint32_t rights = UC_PROT_READ;
    if (type == UC_MEM_FETCH && !page.has_code) {
      page.has_code = true;
      if (page.writable_epoch == floor.epoch_) {
        floor.flush();
      }
    }
    rights |= UC_PROT_WRITE;
    if (page.has_code) {
      rights |= UC_PROT_EXEC;
    } else {
      page.writable_epoch = floor.epoch_;
    }
    static_cast<void>(uc);
    entry->paddr = va;
    entry->perms = static_cast<uc_prot>(rights);
    return true;
  }
  void flush() {
    uc_ctl_flush_tlb(uc_);
    fills_ = 0;
    ++epoch_;
  }

  static int cpuid(uc_engine* /*uc*/, void* self) {
    auto& floor = *static_cast<Floor*>(self);
    const CpuidResult result = default_cpu().answer(floor.get(UC_X86_REG_EAX), floor.get(UC_X86_REG_ECX));
    floor.set(UC_X86_REG_EAX, result.eax);
    floor.set(UC_X86_REG_EBX, result.ebx);
    floor.set(UC_X86_REG_ECX, result.ecx);
    floor.set(UC_X86_REG_EDX, result.edx);
    return 1;
  }

  static void interrupt(uc_engine* uc, uint32_t vector, void* self) {
    auto& floor = *static_cast<Floor*>(self);
    constexpr uint32_t kSystemCall = 0x80;
    if (vector != kSystemCall) {
      fl_block_gate.limit = 0;
      uc_emu_stop(uc);
      return;
    }
    floor.system_call();
  }

  void system_call() {
    enum : uint32_t {
      kExit = 1,
      kWrite = 4,
      kGetppid = 64,
      kBrk = 45,
      kMunmap = 91,
      kMprotect = 125,
      kWritev = 146,
      kMmap2 = 192,
      kSetThreadArea = 243,
      kExitGroup = 252,
      kSetTidAddress = 258,
      kSetRobustList = 311
    };
    constexpr uint32_t kNoSuchCall = static_cast<uint32_t>(-38);
    const uint32_t number = get(UC_X86_REG_EAX), first = get(UC_X86_REG_EBX);
    uint32_t result = kNoSuchCall;
    switch (number) {
      case kExit:
      case kExitGroup:
        exited_ = true;
        exit_status_ = static_cast<int>(first & 0xff);
        fl_block_gate.limit = 0;
        uc_emu_stop(uc_);
        return;
      case kWrite:
        result =
            static_cast<uint32_t>(::write(static_cast<int>(first), memory_ + get(UC_X86_REG_ECX), get(UC_X86_REG_EDX)));
        break;
      case kWritev: {
        result = 0;
        for (uint32_t at = 0; at < get(UC_X86_REG_EDX); ++at) {
          uint32_t vector[2];
          std::memcpy(vector, memory_ + get(UC_X86_REG_ECX) + at * sizeof vector, sizeof vector);
          result += static_cast<uint32_t>(::write(static_cast<int>(first), memory_ + vector[0], vector[1]));
        }
        break;
      }
      case kGetppid:
      case kSetTidAddress:
        result = 1;
        break;
      case kBrk:
        brk_ = first != 0 ? first : brk_;
        result = brk_;
        break;
      case kMmap2:
        mmap_top_ -= (get(UC_X86_REG_ECX) + kPage - 1) & ~(kPage - 1);
        result = mmap_top_;
        break;
      case kMunmap:
      case kMprotect:
      case kSetRobustList:
        result = 0;
        break;
      case kSetThreadArea: {
        uint32_t base;
        std::memcpy(&base, memory_ + first + 4, 4);
        set_descriptor(kTlsEntry, base, 0xf3);
        put(first, kTlsEntry);
        result = 0;
        break;
      }
      default:
        break;
    }
    set(UC_X86_REG_EAX, result);
  }

  struct PageState {
    uint32_t writable_epoch = 0;
    bool has_code = false;
  };
  uint8_t* memory_ = nullptr;
  uc_engine* uc_ = nullptr;
  std::vector<PageState> pages_{kMemory / kPage};
  uint64_t fills_ = 0, threshold_ = 384;
  uint32_t epoch_ = 1;
  uint32_t entry_ = 0, program_headers_ = 0, program_headers_count_ = 0, brk_ = 0, mmap_top_ = kMmapTop;
  bool exited_ = false;
  int exit_status_ = 0;
};

}  // namespace

int run_on_floor(const std::vector<std::string>& argv) {
  try {
    return Floor(argv).run();
  } catch (const std::string& message) {
    fmt::print(stderr, "floor: {}\n", message);
    return 125;
  }
}

}  // namespace fl::emu::bench

// The vDSO images as a C library and a debugger see them: symbols by name and version through both hash tables, the
// layout that was measured on the two kernels, the signal trampolines' bytes, unwind tables, and where they look for
// the data page.
#include "loaders/vdso/vdso_image.hpp"

#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "loaders/elf/elf.hpp"
#include "loaders/elf/elf_bytes.hpp"
#include "loaders/vdso/vvar.hpp"

namespace fl::loaders {
namespace {

constexpr uint32_t kDtHash = 4;
constexpr uint32_t kDtStrtab = 5;
constexpr uint32_t kDtSymtab = 6;
constexpr uint32_t kDtSoname = 14;
constexpr uint32_t kDtGnuHash = 0x6ffffef5;
constexpr uint32_t kDtVersym = 0x6ffffff0;
constexpr uint32_t kDtVerdef = 0x6ffffffc;

uint32_t sysv_hash(std::string_view name) {
  uint32_t hash = 0;
  for (const char c : name) {
    hash = (hash << 4) + static_cast<uint8_t>(c);
    const uint32_t high = hash & 0xf0000000;
    hash = (hash ^ (high >> 24)) & ~high;
  }
  return hash;
}

uint32_t gnu_hash(std::string_view name) {
  uint32_t hash = 5381;
  for (const char c : name) {
    hash = hash * 33 + static_cast<uint8_t>(c);
  }
  return hash;
}

// Reads an image by its program headers and its dynamic section only, as a C library does in memory.
class LoadedVdso {
 public:
  explicit LoadedVdso(std::span<const std::byte> bytes) : bytes_(bytes) {
    const auto header = load_from<ElfHeader>(bytes_);
    for (uint32_t i = 0; i < header.e_phnum; ++i) {
      program_headers_.push_back(load_from<ElfProgramHeader>(bytes_, header.e_phoff + i * sizeof(ElfProgramHeader)));
    }
    const auto dynamic = segment(kPtDynamic);
    REQUIRE(dynamic.has_value());
    for (uint32_t at = dynamic->p_vaddr; word(at) != 0; at += 8) {
      dynamic_[word(at)] = word(at + 4);
    }
  }

  uint32_t word(uint32_t offset) const { return load_from<uint32_t>(bytes_, offset); }
  uint16_t half(uint32_t offset) const { return load_from<uint16_t>(bytes_, offset); }
  std::string_view string(uint32_t index) const {
    const char* text = reinterpret_cast<const char*>(bytes_.data()) + dynamic_.at(kDtStrtab) + index;
    return {text};
  }
  uint32_t dynamic(uint32_t tag) const { return dynamic_.at(tag); }
  const std::vector<ElfProgramHeader>& program_headers() const { return program_headers_; }
  std::optional<ElfProgramHeader> segment(uint32_t type) const {
    const auto found = std::find_if(program_headers_.begin(), program_headers_.end(),
                                    [&](const auto& header) { return header.p_type == type; });
    return found == program_headers_.end() ? std::nullopt : std::optional(*found);
  }
  ElfSymbolEntry symbol(uint32_t index) const {
    return load_from<ElfSymbolEntry>(bytes_, dynamic_.at(kDtSymtab) + index * sizeof(ElfSymbolEntry));
  }

  // The version's name that belongs to a symbol.
  std::string_view version_of(uint32_t index) const {
    const uint16_t wanted = half(dynamic_.at(kDtVersym) + index * 2) & 0x7fff;
    for (uint32_t at = dynamic_.at(kDtVerdef);;) {
      if (half(at + 4) == wanted) {
        return string(word(at + word(at + 12)));
      }
      const uint32_t next = word(at + 16);
      if (next == 0) {
        return {};
      }
      at += next;
    }
  }

  // Symbol index by DT_HASH, 0 for none.
  uint32_t find_sysv(std::string_view name) const {
    const uint32_t table = dynamic_.at(kDtHash);
    const uint32_t buckets = word(table);
    const uint32_t chains = table + 8 + buckets * 4;
    uint32_t index = word(table + 8 + sysv_hash(name) % buckets * 4);
    while (index != 0 && string(symbol(index).st_name) != name) {
      index = word(chains + index * 4);
    }
    return index;
  }

  // Symbol index by DT_GNU_HASH, 0 for none.
  uint32_t find_gnu(std::string_view name) const {
    const uint32_t table = dynamic_.at(kDtGnuHash);
    const uint32_t buckets = word(table);
    const uint32_t first = word(table + 4);
    const uint32_t filter_words = word(table + 8);
    const uint32_t shift = word(table + 12);
    const uint32_t hash = gnu_hash(name);
    const uint32_t filter = word(table + 16 + hash / 32 % filter_words * 4);
    if ((filter >> hash % 32 & filter >> (hash >> shift) % 32 & 1) == 0) {
      return 0;
    }
    const uint32_t bucket_table = table + 16 + filter_words * 4;
    const uint32_t chains = bucket_table + buckets * 4;
    uint32_t index = word(bucket_table + hash % buckets * 4);
    if (index < first) {
      return 0;
    }
    for (;; ++index) {
      const uint32_t link = word(chains + (index - first) * 4);
      if ((link | 1) == (hash | 1) && string(symbol(index).st_name) == name) {
        return index;
      }
      if ((link & 1) != 0) {
        return 0;
      }
    }
  }

  uint32_t address(std::string_view name) const { return symbol(find_sysv(name)).st_value; }

 private:
  std::span<const std::byte> bytes_;
  std::vector<ElfProgramHeader> program_headers_;
  std::map<uint32_t, uint32_t> dynamic_;
};

struct Expected {
  std::string_view name;
  std::string_view version;
  uint32_t at_6_1;
  uint32_t at_6_18;
};
// Measured: see loaders/vdso/CMakeLists.txt. 0: not there.
constexpr std::array kFunctions = {
    Expected{"__kernel_vsyscall", "LINUX_2.5", 0x550, 0x5e0},
    Expected{"__kernel_sigreturn", "LINUX_2.5", 0x564, 0x600},
    Expected{"__kernel_rt_sigreturn", "LINUX_2.5", 0x570, 0x610},
    Expected{"__vdso_gettimeofday", "LINUX_2.6", 0x7c0, 0x700},
    Expected{"__vdso_time", "LINUX_2.6", 0xb10, 0xc20},
    Expected{"__vdso_clock_gettime", "LINUX_2.6", 0xb50, 0xc70},
    Expected{"__vdso_clock_gettime64", "LINUX_2.6", 0xfc0, 0x1220},
    Expected{"__vdso_clock_getres", "LINUX_2.6", 0x1470, 0x1830},
    Expected{"__vdso_getcpu", "LINUX_2.6", 0, 0x18d0},
};

const vm::KernelProfile& profile_6_1() { return vm::KernelProfile::i386_6_1(); }
const vm::KernelProfile& profile_6_18() { return vm::KernelProfile::compat_6_18(); }

void for_each_profile(
    const std::function<void(const vm::KernelProfile&, const VdsoBinary&, const LoadedVdso&)>& check) {
  for (const vm::KernelProfile* profile : {&profile_6_1(), &profile_6_18()}) {
    INFO(profile->name);
    const VdsoBinary binary = vdso_image(*profile);
    check(*profile, binary, LoadedVdso(binary.bytes));
  }
}

TEST_CASE("vdso: each function is found by name and version, at the place that kernel has it") {
  for_each_profile([](const auto& profile, const auto&, const LoadedVdso& vdso) {
    for (const Expected& function : kFunctions) {
      INFO(function.name);
      const uint32_t expected = &profile == &profile_6_1() ? function.at_6_1 : function.at_6_18;
      const uint32_t index = vdso.find_sysv(function.name);
      CHECK(vdso.find_gnu(function.name) == index);
      CHECK((index != 0) == (expected != 0));
      if (index == 0 || expected == 0) {
        continue;
      }
      const ElfSymbolEntry symbol = vdso.symbol(index);
      CHECK(symbol.st_value == expected);
      CHECK(symbol.st_size != 0);
      CHECK(symbol.type() == kSttFunc);
      CHECK(symbol.bind() == kStbGlobal);
      CHECK(symbol.st_shndx != kShnUndef);
      CHECK(vdso.version_of(index) == function.version);
    }
    CHECK(vdso.find_sysv("fl_vdso_load_pc") == 0);
    CHECK(vdso.find_gnu("no_such_function") == 0);
  });
}

TEST_CASE("vdso: the image is one read-only executable segment of at most two pages") {
  for_each_profile([](const auto&, const VdsoBinary& binary, const LoadedVdso& vdso) {
    CHECK(binary.bytes.size() == kVdsoPages * kPageSize);
    const auto image = parse_elf(MemoryReader(binary.bytes));
    REQUIRE(image.has_value());
    CHECK(image->type == ElfType::kDyn);
    const auto plan = plan_elf(*image, 0xc0000000);
    REQUIRE(plan.has_value());
    REQUIRE(plan->segments.size() == 1);
    const ElfSegment& segment = plan->segments.front();
    CHECK(segment.flags == (kPfR | kPfX));
    CHECK(segment.map_start == VirtAddr(0));
    CHECK(segment.file_offset == 0);
    CHECK(segment.map_size == kVdsoPages * kPageSize);
    CHECK(segment.bss_size == 0);
    CHECK(plan->entry == VirtAddr(binary.kernel_vsyscall));
    CHECK(vdso.string(vdso.dynamic(kDtSoname)) == "linux-gate.so.1");
    CHECK(vdso.segment(kPtNote).has_value());
    CHECK(vdso.segment(kPtGnuEhFrame).has_value());
  });
}

TEST_CASE("vdso: all that a C library looks at is on the first page") {
  for_each_profile([](const auto&, const auto&, const LoadedVdso& vdso) {
    for (const uint32_t tag : {kDtHash, kDtStrtab, kDtSymtab, kDtGnuHash, kDtVersym, kDtVerdef}) {
      CHECK(vdso.dynamic(tag) < vdso.address("__kernel_vsyscall"));
    }
    CHECK(vdso.address("__kernel_rt_sigreturn") + 8 < kPageSize);
  });
}

TEST_CASE("vdso: the gate and the signal trampolines have the bytes that debuggers look for") {
  using namespace std::string_view_literals;
  for_each_profile([](const auto&, const VdsoBinary& binary, const auto&) {
    const auto bytes_at = [&](uint32_t offset, size_t size) {
      return std::string_view(reinterpret_cast<const char*>(binary.bytes.data()) + offset, size);
    };
    CHECK(bytes_at(binary.kernel_sigreturn, 8) == "\x58\xb8\x77\0\0\0\xcd\x80"sv);
    CHECK(bytes_at(binary.kernel_rt_sigreturn, 7) == "\xb8\xad\0\0\0\xcd\x80"sv);
    CHECK(bytes_at(binary.kernel_vsyscall, 3) == "\x51\x52\x55"sv);
    CHECK(bytes_at(binary.kernel_vsyscall + 7, 6) == "\xcd\x80\x5d\x5a\x59\xc3"sv);
    CHECK(binary.int80_landing_pad == binary.kernel_vsyscall + 9);
  });
}

TEST_CASE("vdso: each time function first calls onto the second page, then addresses the vvar page of its profile") {
  for_each_profile([](const auto& profile, const VdsoBinary& binary, const LoadedVdso& vdso) {
    const auto byte = [&](uint32_t at) { return static_cast<uint8_t>(binary.bytes[at]); };
    for (const std::string_view name : {"__vdso_gettimeofday", "__vdso_time", "__vdso_clock_gettime",
                                        "__vdso_clock_gettime64", "__vdso_clock_getres"}) {
      INFO(name);
      const ElfSymbolEntry function = vdso.symbol(vdso.find_sysv(name));
      // call rel32; add $imm32, %eax
      uint32_t call = function.st_value;
      const uint32_t last = function.st_value + function.st_size - 10;
      while (call < last && !(byte(call) == 0xe8 && byte(call + 5) == 0x05)) {
        ++call;
      }
      REQUIRE(call < last);
      const uint32_t return_address = call + 5;
      const uint32_t target = return_address + vdso.word(call + 1);
      CHECK(target / kPageSize == 1);
      CHECK(return_address + vdso.word(call + 6) == 0u - profile.vvar_pages * kPageSize);
    }
  });
}

TEST_CASE("vdso: the functions that read a clock touch the stack as deep as that kernel's frames") {
  for_each_profile([](const auto& profile, const VdsoBinary& binary, const LoadedVdso& vdso) {
    const auto byte = [&](uint32_t at) { return static_cast<uint8_t>(binary.bytes[at]); };
    // Bytes below the return address, by: orl $0, disp8(%ebp).
    const auto touched = [&](std::string_view name) {
      const ElfSymbolEntry function = vdso.symbol(vdso.find_sysv(name));
      std::set<uint32_t> depths;
      for (uint32_t at = function.st_value; at + 4 <= function.st_value + function.st_size; ++at) {
        if (byte(at) == 0x83 && byte(at + 1) == 0x4d && byte(at + 3) == 0) {
          depths.insert(4u - static_cast<uint32_t>(static_cast<int8_t>(byte(at + 2))));
        }
      }
      return depths;
    };
    const bool old = &profile == &profile_6_1();
    const std::set<uint32_t> clock = old ? std::set{0x34u, 0x40u} : std::set{0x30u, 0x44u};
    CHECK(touched("__vdso_clock_gettime") == clock);
    CHECK(touched("__vdso_clock_gettime64") == clock);
    CHECK(touched("__vdso_gettimeofday") == std::set{old ? 0x34u : 0x44u});
  });
}

TEST_CASE("vdso: the version note agrees with uname") {
  for_each_profile([](const auto& profile, const auto&, const LoadedVdso& vdso) {
    const uint32_t note = vdso.segment(kPtNote)->p_vaddr;
    CHECK(vdso.word(note) == 6);
    CHECK(vdso.word(note + 4) == 4);
    CHECK(vdso.word(note + 8) == 0);
    const uint32_t code = vdso.word(note + 20);
    const std::string version = std::to_string(code >> 16) + "." + std::to_string(code >> 8 & 0xff) + ".";
    CHECK(profile.release.starts_with(version));
  });
}

TEST_CASE("vdso: the unwind table covers the byte before each signal trampoline, and the gate") {
  for_each_profile([](const auto&, const VdsoBinary& binary, const LoadedVdso& vdso) {
    // .eh_frame_hdr: version 1, pc-relative frame pointer, 4-byte count, table relative to its own start.
    const uint32_t header = vdso.segment(kPtGnuEhFrame)->p_vaddr;
    REQUIRE(vdso.word(header) == 0x3b031b01);
    const uint32_t count = vdso.word(header + 8);
    CHECK(count == 3);
    std::vector<std::pair<uint32_t, uint32_t>> ranges;
    for (uint32_t i = 0; i < count; ++i) {
      const uint32_t start = header + vdso.word(header + 12 + i * 8);
      const uint32_t description = header + vdso.word(header + 16 + i * 8);
      ranges.emplace_back(start, start + vdso.word(description + 12));
    }
    const auto covered = [&](uint32_t at) {
      return std::any_of(ranges.begin(), ranges.end(),
                         [at](const auto& range) { return range.first <= at && at < range.second; });
    };
    CHECK(covered(binary.kernel_sigreturn - 1));
    CHECK(covered(binary.kernel_sigreturn + 7));
    CHECK(covered(binary.kernel_rt_sigreturn - 1));
    CHECK(covered(binary.kernel_rt_sigreturn + 6));
    CHECK(covered(binary.kernel_vsyscall));
    CHECK(covered(binary.int80_landing_pad));
    CHECK_FALSE(covered(binary.kernel_vsyscall - 1));
  });
}

}  // namespace
}  // namespace fl::loaders

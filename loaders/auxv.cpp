// Building the auxiliary vector. See auxv.hpp.
#include "loaders/auxv.hpp"

#include "loaders/elf/elf_format.hpp"

namespace fl::loaders {
namespace {

constexpr uint32_t kUserHz = 100;  // CLOCKS_PER_SEC as times(2) counts them
// struct rseq up to and including mm_cid, and what it is aligned to when a libc allocates it.
constexpr uint32_t kRseqFeatureSize = 28;
constexpr uint32_t kRseqAlign = 32;

}  // namespace

std::vector<uint32_t> build_auxv(const AuxValues& values, const vm::KernelProfile& profile) {
  std::vector<uint32_t> auxv;
  const auto add = [&auxv](AuxType type, uint32_t value) {
    auxv.push_back(static_cast<uint32_t>(type));
    auxv.push_back(value);
  };
  if (values.vdso_base != VirtAddr(0)) {
    add(AuxType::kSysinfo, values.vsyscall.value());
    add(AuxType::kSysinfoEhdr, values.vdso_base.value());
  }
  add(AuxType::kMinsigstksz, values.min_signal_stack);
  add(AuxType::kHwcap, values.hwcap);
  add(AuxType::kPagesz, kPageSize);
  add(AuxType::kClktck, kUserHz);
  add(AuxType::kPhdr, values.phdr.value());
  add(AuxType::kPhent, sizeof(ElfProgramHeader));
  add(AuxType::kPhnum, values.phnum);
  add(AuxType::kBase, values.interpreter_base.value());
  add(AuxType::kFlags, 0);
  add(AuxType::kEntry, values.entry.value());
  add(AuxType::kUid, values.uid);
  add(AuxType::kEuid, values.euid);
  add(AuxType::kGid, values.gid);
  add(AuxType::kEgid, values.egid);
  add(AuxType::kSecure, 0);
  add(AuxType::kRandom, values.random.value());
  add(AuxType::kHwcap2, values.hwcap2);
  add(AuxType::kExecfn, values.execfn.value());
  add(AuxType::kPlatform, values.platform.value());
  if (profile.auxv_has_rseq) {
    add(AuxType::kRseqFeatureSize, kRseqFeatureSize);
    add(AuxType::kRseqAlign, kRseqAlign);
  }
  add(AuxType::kNull, 0);
  return auxv;
}

std::vector<uint32_t> proc_auxv(std::vector<uint32_t> auxv, const vm::KernelProfile& profile) {
  if (profile.kernel_pointer_bytes == 8) {
    // Its loop steps over two 64-bit words, which are two pairs, and ends behind the first step that begins with
    // AT_NULL.
    const size_t pairs = auxv.size() / 2;
    const size_t null_pair = pairs - 1;
    const size_t shown = null_pair % 2 == 0 ? pairs + 1 : pairs + 2;
    auxv.resize(shown * 2, 0);
  }
  return auxv;
}

}  // namespace fl::loaders

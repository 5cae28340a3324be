// Learning where the registers are, and using it.
#include "emu/cpu/register_window.hpp"

namespace fl::emu {
namespace {

using guest::Registers;

// The order of the processor's register numbers.
constexpr std::array<uint32_t Registers::*, 8> kInOrder = {&Registers::eax, &Registers::ecx, &Registers::edx,
                                                           &Registers::ebx, &Registers::esp, &Registers::ebp,
                                                           &Registers::esi, &Registers::edi};
constexpr size_t kEipWord = 16;  // after the sixteen registers of the 64-bit processor

}  // namespace

void RegisterWindow::learn(void* state, const Registers& known) {
  if (hopeless_ || open() || state == nullptr) {
    return;
  }
  auto* words = static_cast<uint64_t*>(state);
  Registers found = known;
  words_ = words;
  read(found);
  if (!(found == known)) {
    hopeless_ = true;
    agreements_ = 0;
  } else if (!(known == last_)) {
    // Other values than before: an agreement by chance becomes unlikely.
    last_ = known;
    ++agreements_;
  }
}

void RegisterWindow::read(Registers& regs) const {
  for (size_t at = 0; at < kInOrder.size(); ++at) {
    regs.*kInOrder[at] = static_cast<uint32_t>(words_[at]);
  }
  regs.eip = static_cast<uint32_t>(words_[kEipWord]);
}

void RegisterWindow::write(const Registers& regs) {
  for (size_t at = 0; at < kInOrder.size(); ++at) {
    words_[at] = regs.*kInOrder[at];
  }
}

}  // namespace fl::emu

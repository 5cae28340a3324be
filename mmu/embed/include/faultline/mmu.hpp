// The memory-management unit of an i386 and RAM under it, for programs of your own: page tables bit for bit, in
// simulated frames, and the walk from CR3.
//
//   auto mmu = faultline::Mmu::create({.frames = 64});
//   const uint32_t directory = *mmu->new_directory(), frame = *mmu->allocate_frame();
//   mmu->map(directory, 0x08048000, frame, {.write = false});
//   mmu->set_cr3(directory);
//   faultline::Walk walk = mmu->walk(0x08048123, faultline::Access::kWrite);   // refused: protection, write, user
//
// Link faultline::mmu. Several in one process are independent of each other; one is used by one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include <faultline/base.hpp>

namespace fl::embed {
struct MmuState;
}

namespace faultline {

struct MmuOptions {
  uint32_t frames = 4096;   // of 4 KiB; 8 to 2^20
  bool no_execute = false;  // entries have a no-execute bit (software's bit 11; an i386 without PAE has none)
};

// What an entry allows.
struct Rights {
  bool write = true;
  bool user = true;
  bool execute = true;  // of effect with MmuOptions::no_execute
};

class Mmu {
 public:
  static Result<Mmu> create(const MmuOptions& options);
  Mmu(Mmu&&) noexcept;
  Mmu& operator=(Mmu&&) noexcept;
  ~Mmu();

  // --- frames ---
  // A zeroed one. ENOMEM.
  Result<uint32_t> allocate_frame();
  // EINVAL: nobody has allocated it.
  Status free_frame(uint32_t frame);
  uint32_t free_frames() const;
  // All of RAM, from physical address 0 on, to read and write as the processor would. Entries of page tables may be
  // changed too; the addresses of tables in a directory may not.
  std::span<std::byte> memory();

  // --- page tables ---
  // A directory with an empty user half, in a frame of its own, which is its name. From 0xC0000000 on it maps RAM
  // (its first 875 MiB) for the supervisor, as Linux does. ENOMEM.
  Result<uint32_t> new_directory();
  // With its tables; frames that they map stay allocated. EINVAL: no such directory, or it is in CR3.
  Status free_directory(uint32_t directory);
  // Maps the page of `address` to a frame; makes the table if need be; what was mapped there is no longer. EINVAL: no
  // such directory, a frame beyond RAM, or an address that is not the user's. ENOMEM.
  Status map(uint32_t directory, uint32_t address, uint32_t frame, const Rights& rights = {});
  // EINVAL: nothing is mapped there.
  Status unmap(uint32_t directory, uint32_t address);
  // The raw entry; 0: none, or no table.
  uint32_t entry(uint32_t directory, uint32_t address) const;

  // --- the processor ---
  // EINVAL: no such directory.
  Status set_cr3(uint32_t directory);
  uint32_t cr3() const;  // the directory's frame
  // The address of the last access that was refused.
  uint32_t cr2() const;
  // Makes an access: walks from CR3, and sets the accessed bits, and the dirty bit on a write, or CR2. CR3 must have
  // been set; else the walk has no steps.
  Walk walk(uint32_t address, Access access, Privilege privilege = Privilege::kUser);
  // The same in short: the physical address, if it is allowed.
  std::optional<uint32_t> translate(uint32_t address, Access access, Privilege privilege = Privilege::kUser);

 private:
  explicit Mmu(std::unique_ptr<fl::embed::MmuState> state);
  std::unique_ptr<fl::embed::MmuState> state_;
};

}  // namespace faultline

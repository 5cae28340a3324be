// The bits of an entry, by the processor's manual and by Linux's use of what is left.
#include <catch2/catch_test_macros.hpp>

#include "mmu/pte.hpp"

namespace fl::mmu {

TEST_CASE("pte: bits stand where the processor wants them") {
  const Pte pte(Pfn(0x12345), Pte::kPresent | Pte::kWritable | Pte::kUser | Pte::kAccessed | Pte::kDirty);
  CHECK(pte.raw() == 0x12345067);
  CHECK(pte.pfn() == Pfn(0x12345));
  CHECK(pte.hw_present());
  CHECK(pte.writable());
  CHECK(pte.user());
  CHECK(pte.accessed());
  CHECK(pte.dirty());
  CHECK_FALSE(pte.large());
  CHECK(Pte(0x80).large());
  CHECK(Pte(0x200).special());
  CHECK(Pte(0x800).no_execute());
}

TEST_CASE("pte: an entry is empty, present, PROT_NONE or swapped out, and only one of these") {
  struct {
    Pte pte;
    bool none, hw_present, present, protnone, swap;
  } const cases[] = {
      {Pte(), true, false, false, false, false},
      {Pte(Pfn(5), Pte::kPresent), false, true, true, false, false},
      {Pte(Pfn(5), Pte::kPresent | Pte::kGlobal), false, true, true, false, false},
      {Pte(Pfn(5), Pte::kProtNone), false, false, true, true, false},
      {Pte(Pfn(0), Pte::kProtNone), false, false, true, true, false},
      {Pte(Pfn(5), 0), false, false, false, false, true},
  };
  for (const auto& each : cases) {
    INFO(each.pte.raw());
    CHECK(each.pte.none() == each.none);
    CHECK(each.pte.hw_present() == each.hw_present);
    CHECK(each.pte.present() == each.present);
    CHECK(each.pte.protnone() == each.protnone);
    CHECK(each.pte.swap() == each.swap);
  }
}

TEST_CASE("pte: with and without change the bits named and no others") {
  const Pte pte(Pfn(0xfffff), Pte::kPresent | Pte::kUser);
  CHECK(pte.with(Pte::kDirty).raw() == 0xfffff045);
  CHECK(pte.with(Pte::kDirty).without(Pte::kDirty) == pte);
  CHECK(pte.without(Pte::kDirty) == pte);
}

}  // namespace fl::mmu

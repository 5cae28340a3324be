// diff: which elements of two lists belong together, so that as many as possible do and none change places.
//
// Myers' O(ND) algorithm in linear space ("An O(ND) Difference Algorithm and Its Variations", Algorithmica 1, 1986):
// the middle of a shortest edit path is searched from both ends, then both halves. Where that takes too long it goes on
// from the furthest point reached so far: two lists of 300,000 elements that have nothing in common take below a
// second.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace fl::emu {

// What is compared of an element: all of `base`, and `choices` have to share a bit (what is not known has several).
struct DiffKey {
  uint32_t base = 0;
  uint8_t choices = 0;
  bool matches(const DiffKey& other) const { return base == other.base && (choices & other.choices) != 0; }
};

struct DiffResult {
  static constexpr uint32_t kNone = ~uint32_t{0};
  // For each element of the first list its partner in the second, or kNone. Partners ascend.
  std::vector<uint32_t> partner;
  // False: the search was cut short, so that there may be a pairing with fewer left over.
  bool shortest = true;
};

DiffResult diff(std::span<const DiffKey> first, std::span<const DiffKey> second);

}  // namespace fl::emu

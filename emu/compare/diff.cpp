// The search for the middle of a box of the edit graph, and the boxes still to be searched.
//
// A box spans first[a_lo, a_hi) and second[b_lo, b_hi). Inside it x counts elements of the first list, y of the second,
// and diagonal k holds the points with x - y = k. reach[k] is the largest x on k that d edits can get to.
#include "emu/compare/diff.hpp"

#include <algorithm>
#include <optional>

namespace fl::emu {
namespace {

using Index = int64_t;
constexpr Index kNever = -1;  // no path gets to this diagonal

struct Box {
  Index a_lo, a_hi, b_lo, b_hi;
};
struct Point {
  Index x, y;
};

class Search {
 public:
  Search(std::span<const DiffKey> first, std::span<const DiffKey> second) : first_(first), second_(second) {
    const size_t total = first.size() + second.size();
    forward_.resize(total + 3);
    backward_.resize(total + 3);
    result_.partner.assign(first.size(), DiffResult::kNone);
    // Steps of one search grow with the square of the edits; all together must end soon.
    constexpr Index kLeastEdits = 160, kSteps = 50'000'000;
    most_edits_ = std::max(kLeastEdits, kSteps / static_cast<Index>(total + 1));
  }

  DiffResult run() {
    std::vector<Box> boxes{{0, static_cast<Index>(first_.size()), 0, static_cast<Index>(second_.size())}};
    while (!boxes.empty()) {
      Box box = boxes.back();
      boxes.pop_back();
      trim(box);
      if (box.a_lo == box.a_hi || box.b_lo == box.b_hi) {
        continue;
      }
      const Point at = middle(box);
      boxes.push_back({box.a_lo + at.x, box.a_hi, box.b_lo + at.y, box.b_hi});
      boxes.push_back({box.a_lo, box.a_lo + at.x, box.b_lo, box.b_lo + at.y});
    }
    return std::move(result_);
  }

 private:
  bool same(Index a, Index b) const { return first_[static_cast<size_t>(a)].matches(second_[static_cast<size_t>(b)]); }
  void pair(Index a, Index b) { result_.partner[static_cast<size_t>(a)] = static_cast<uint32_t>(b); }

  // Pairs what is equal at both ends.
  void trim(Box& box) {
    for (; box.a_lo < box.a_hi && box.b_lo < box.b_hi && same(box.a_lo, box.b_lo); ++box.a_lo, ++box.b_lo) {
      pair(box.a_lo, box.b_lo);
    }
    for (; box.a_lo < box.a_hi && box.b_lo < box.b_hi && same(box.a_hi - 1, box.b_hi - 1); --box.a_hi, --box.b_hi) {
      pair(box.a_hi - 1, box.b_hi - 1);
    }
  }

  // Moves every path of `reach` on by one edit and along what is equal then. `same_at(x, y)` compares the elements
  // after point (x, y) in the direction of the search; `met(k, x)` says whether the other search has been there.
  // Returns the meeting point.
  template <typename Same, typename Met>
  static std::optional<Point> advance(Index* reach, Index d, Index width, Index height, Same same_at, Met met) {
    const Index least = d <= height ? -d : -height + ((d - height) & 1);
    const Index most = d <= width ? d : width - ((d - width) & 1);
    if (least == -d) {
      reach[least - 1] = kNever;
    }
    if (most == d) {
      reach[most + 1] = kNever;
    }
    for (Index k = least; k <= most; k += 2) {
      Index x = kNever;
      if (d == 0) {
        x = 0;
      } else {
        const Index right = reach[k - 1] != kNever ? reach[k - 1] + 1 : kNever;
        const Index down = reach[k + 1];
        x = right <= width ? right : kNever;
        if (down != kNever && down - k <= height) {
          x = std::max(x, down);
        }
      }
      if (x != kNever) {
        while (x < width && x - k < height && same_at(x, x - k)) {
          ++x;
        }
      }
      reach[k] = x;
      if (x != kNever && met(k, x)) {
        return Point{x, x - k};
      }
    }
    return std::nullopt;
  }

  // The point on the diagonals that d edits reach which is furthest from the start.
  static Point furthest(const Index* reach, Index d, Index width, Index height) {
    Point best{0, 0};
    for (Index k = std::max(-d, -height); k <= std::min(d, width); ++k) {
      if ((k & 1) == (d & 1) && reach[k] != kNever && 2 * reach[k] - k > best.x + best.y) {
        best = {reach[k], reach[k] - k};
      }
    }
    return best;
  }

  // A point inside the box that a shortest edit path goes through, or a good one; not one of its two corners. The box
  // is trimmed and not empty in either direction.
  Point middle(const Box& box) {
    const Index width = box.a_hi - box.a_lo, height = box.b_hi - box.b_lo, delta = width - height;
    Index* const forward = forward_.data() + height + 1;
    Index* const backward = backward_.data() + height + 1;
    const bool odd = (delta & 1) != 0;
    for (Index d = 0;; ++d) {
      const auto ahead = [&](Index x, Index y) { return same(box.a_lo + x, box.b_lo + y); };
      const auto met_backward = [&](Index k, Index x) {
        const Index other = delta - k;
        return odd && other >= 1 - d && other <= d - 1 && backward[other] != kNever && x + backward[other] >= width;
      };
      if (const auto point = advance(forward, d, width, height, ahead, met_backward)) {
        return *point;
      }
      const auto behind = [&](Index x, Index y) { return same(box.a_hi - 1 - x, box.b_hi - 1 - y); };
      const auto met_forward = [&](Index k, Index x) {
        const Index other = delta - k;
        return !odd && other >= -d && other <= d && forward[other] != kNever && x + forward[other] >= width;
      };
      if (const auto point = advance(backward, d, width, height, behind, met_forward)) {
        return {width - point->x, height - point->y};
      }
      if (d >= most_edits_) {
        result_.shortest = false;
        const Point front = furthest(forward, d, width, height), back = furthest(backward, d, width, height);
        return front.x + front.y >= back.x + back.y ? front : Point{width - back.x, height - back.y};
      }
    }
  }

  std::span<const DiffKey> first_, second_;
  std::vector<Index> forward_, backward_;
  Index most_edits_;
  DiffResult result_;
};

}  // namespace

DiffResult diff(std::span<const DiffKey> first, std::span<const DiffKey> second) { return Search(first, second).run(); }

}  // namespace fl::emu

// Arming the counter, and what happens when it has run down.
#include "vm/phys/fail_alloc.hpp"

#include <charconv>
#include <cmath>
#include <optional>

namespace fl::vm {
namespace {

template <typename Number>
std::optional<Number> whole(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

// The splitmix64 generator: any seed will do.
uint64_t next_random(uint64_t& state) {
  state += 0x9e3779b97f4a7c15u;
  uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

}  // namespace

void FailAlloc::arm(uint64_t allocations) {
  asked_before_ = asked();
  armed_for_ = countdown_ = allocations;
}

void FailAlloc::fail_nth(uint64_t n) {
  arm(n);
  every_ = 0;
  threshold_ = 0;
}

void FailAlloc::fail_every(uint64_t n) {
  arm(n);
  every_ = n;
  threshold_ = 0;
}

void FailAlloc::fail_with_probability(double p, uint64_t seed) {
  random_ = seed;
  every_ = 0;
  threshold_ = static_cast<uint64_t>(std::ldexp(p, 53));
  arm(threshold_ == 0 ? 0 : allocations_until_failure());
}

uint64_t FailAlloc::allocations_until_failure() {
  uint64_t allocations = 1;
  while (next_random(random_) >> 11 >= threshold_) {
    ++allocations;
  }
  return allocations;
}

bool FailAlloc::fire() {
  ++failures_;
  arm(threshold_ != 0 ? allocations_until_failure() : every_);
  return true;
}

Status FailAlloc::configure(std::string_view text, uint64_t seed) {
  const size_t equals = text.find('=');
  if (equals == std::string_view::npos) {
    return fail(Errno::kEINVAL);
  }
  const std::string_view mode = text.substr(0, equals);
  const std::string_view value = text.substr(equals + 1);
  if (mode == "p") {
    // Much smaller ones would make looking for the next failure slow.
    const auto p = whole<double>(value);
    if (!p || !(*p == 0 || (*p >= 0x1p-24 && *p <= 1))) {
      return fail(Errno::kEINVAL);
    }
    fail_with_probability(*p, seed);
    return {};
  }
  const auto n = whole<uint64_t>(value);
  if (!n || *n == 0 || (mode != "nth" && mode != "every")) {
    return fail(Errno::kEINVAL);
  }
  mode == "nth" ? fail_nth(*n) : fail_every(*n);
  return {};
}

}  // namespace fl::vm

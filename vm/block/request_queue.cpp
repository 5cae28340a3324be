// The time that requests take. See request_queue.hpp.
#include "vm/block/request_queue.hpp"

#include <charconv>

namespace fl::vm {
namespace {

constexpr uint64_t kNsPerSecond = 1'000'000'000;
constexpr uint64_t kNear = 32;

std::optional<uint64_t> number(std::string_view text, uint64_t most) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value <= most ? std::optional(value)
                                                                                   : std::nullopt;
}

}  // namespace

std::optional<DiskModel> DiskModel::parse(std::string_view text) {
  if (text == "none") return DiskModel{};
  if (text == "ssd") return ssd();
  if (text == "hdd") return hdd();
  const size_t comma = text.find(',');
  if (comma == std::string_view::npos) {
    return std::nullopt;
  }
  const auto seek_us = number(text.substr(0, comma), 10'000'000);
  const auto megabytes = number(text.substr(comma + 1), 1'000'000);
  if (!seek_us || !megabytes || *megabytes == 0) {
    return std::nullopt;
  }
  return DiskModel{*seek_us * 1000, *megabytes * 1'000'000};
}

uint64_t RequestQueue::submit(const void* store, uint64_t first, uint32_t pages) {
  if (clock_ == nullptr) {
    return 0;
  }
  // The drive's own queue puts what lies close together in order.
  const uint64_t distance = first > next_page_ ? first - next_page_ : next_page_ - first;
  const bool goes_on = store == store_ && distance <= kNear;
  const uint64_t transfer = uint64_t{pages} * kPageSize * kNsPerSecond / model_.bytes_per_second;
  busy_until_ = std::max(busy_until_, now()) + (goes_on ? 0 : model_.seek_ns) + transfer;
  store_ = store;
  next_page_ = first + pages;
  return busy_until_;
}

}  // namespace fl::vm

// Headers of swap areas: good ones, every way to be malformed, and random bytes.
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <cstring>
#include <random>

#include "tests/unit/vm/memory_swap_store.hpp"
#include "vm/swap/swap_entry.hpp"
#include "vm/swap/swap_header.hpp"

namespace fl::vm::test {
namespace {

constexpr size_t kVersion = 1024, kLastPage = 1028, kNrBad = 1032, kBad = 1536;

// A header to be spoilt.
struct Header {
  std::array<std::byte, 4096> bytes{};
  uint64_t store_pages = 100;
  SwapKind kind = SwapKind::kPartition;

  Header() { make_swap_header(bytes, 100); }
  Header& set(size_t at, uint32_t word) {
    std::memcpy(bytes.data() + at, &word, sizeof word);
    return *this;
  }
  // The words of the header in the other byte order.
  Header& swap_words() {
    for (size_t at = kVersion; at < kBad + 4 * 637; at += 4) {
      std::reverse(bytes.begin() + static_cast<ptrdiff_t>(at), bytes.begin() + static_cast<ptrdiff_t>(at) + 4);
    }
    return *this;
  }
  tl::expected<SwapLayout, std::string_view> parse() const { return parse_swap_header(bytes, store_pages, kind); }
  std::string_view error() const {
    const auto layout = parse();
    return layout ? "" : layout.error();
  }
};

}  // namespace

TEST_CASE("swap header: what mkswap writes is understood, in either byte order") {
  for (const bool swapped : {false, true}) {
    Header header;
    header.set(kNrBad, 4).set(kBad, 50).set(kBad + 4, 3).set(kBad + 8, 50).set(kBad + 12, 99);
    if (swapped) {
      header.swap_words();
    }
    const auto layout = header.parse();
    REQUIRE(layout);
    CHECK(layout->max == 100);
    CHECK(layout->bad == std::vector<uint32_t>{3, 50, 99});
    CHECK(layout->usable() == 96);
    CHECK_FALSE(layout->truncated);
  }
}

TEST_CASE("swap header: each way to be malformed has its message") {
  CHECK(Header().error().empty());
  Header old;
  std::memcpy(old.bytes.data() + 4086, "SWAP-SPACE", 10);
  CHECK(old.error().find("signature") != std::string_view::npos);
  CHECK(Header().set(kVersion, 0).error().find("version") != std::string_view::npos);
  CHECK(Header().set(kVersion, 2).error().find("version") != std::string_view::npos);
  CHECK(Header().set(kLastPage, 0).error().find("empty") != std::string_view::npos);
  CHECK(Header().set(kLastPage, 100).error().find("shorter") != std::string_view::npos);
  CHECK(Header().set(kLastPage, 0xffffffff).error().find("shorter") != std::string_view::npos);
  CHECK(Header().set(kNrBad, 638).error().find("too many") != std::string_view::npos);
  CHECK(Header().set(kNrBad, 0xffffffff).error().find("too many") != std::string_view::npos);
  CHECK(Header().set(kNrBad, 1).error().find("outside") != std::string_view::npos);
  CHECK(Header().set(kNrBad, 1).set(kBad, 100).error().find("outside") != std::string_view::npos);
  Header file;
  file.kind = SwapKind::kFile;
  CHECK(file.error().empty());
  CHECK(file.set(kNrBad, 1).set(kBad, 5).error().find("file with bad pages") != std::string_view::npos);
  Header all_bad;
  all_bad.set(kLastPage, 2).set(kNrBad, 2).set(kBad, 1).set(kBad + 4, 2);
  CHECK(all_bad.error().find("empty") != std::string_view::npos);
}

TEST_CASE("swap header: of an area that is too large, what entries reach is used") {
  Header header;
  header.store_pages = uint64_t{1} << 32;
  header.set(kLastPage, kMaxSwapFilePages - 1);
  CHECK(header.parse()->max == kMaxSwapFilePages);
  CHECK_FALSE(header.parse()->truncated);
  header.set(kLastPage, kMaxSwapFilePages);
  CHECK(header.parse()->max == kMaxSwapFilePages);
  header.set(kLastPage, 0xffffffff).set(kNrBad, 2).set(kBad, kMaxSwapFilePages + 7).set(kBad + 4, 9);
  const auto layout = header.parse();
  REQUIRE(layout);
  CHECK(layout->truncated);
  CHECK(layout->max == kMaxSwapFilePages);
  CHECK(layout->bad == std::vector<uint32_t>{9});
}

TEST_CASE("swap header: whatever its words are, the layout lies inside the store") {
  std::mt19937 random(1);
  const std::array<uint32_t, 12> values{0,          1,          2, 99, 100, 637, 638, 1u << 23, (1u << 23) + 1,
                                        0x01000000, 0xffffffff, 5};
  int good = 0;
  for (int round = 0; round < 20000; ++round) {
    Header header;
    header.store_pages = random() % 2 == 0 ? 100 : random();
    header.kind = random() % 2 == 0 ? SwapKind::kFile : SwapKind::kPartition;
    for (const size_t at : {kVersion, kLastPage, kNrBad, kBad, kBad + 4, size_t{4088}}) {
      if (random() % 4 == 0) {
        header.set(at, random() % 3 == 0 ? random() : values[random() % values.size()]);
      }
    }
    if (random() % 4 == 0) {
      for (size_t at = kBad; at < kBad + 4 * 637; at += 4) {
        header.set(at, 1 + random() % 120);
      }
    }
    if (const auto layout = header.parse(); layout) {
      ++good;
      REQUIRE(layout->max >= 2);
      REQUIRE(layout->max <= kMaxSwapFilePages);
      REQUIRE(layout->max <= header.store_pages);
      REQUIRE(layout->bad.size() < layout->max - 1);
      REQUIRE(std::is_sorted(layout->bad.begin(), layout->bad.end()));
      for (const uint32_t page : layout->bad) {
        REQUIRE(page > 0);
        REQUIRE(page < layout->max);
      }
    } else {
      REQUIRE_FALSE(layout.error().empty());
      REQUIRE(layout.error().find('\n') == std::string_view::npos);
    }
  }
  CHECK(good > 1000);
}

TEST_CASE("swap header: a store whose header cannot be read, or that has shrunk, is refused") {
  MemorySwapStore store(50);
  CHECK(read_swap_header(store));
  store.bytes.resize(size_t{4096} * 49);
  CHECK(read_swap_header(store).error().find("shorter") != std::string_view::npos);
  store.bad_reads.insert(0);
  CHECK(read_swap_header(store).error().find("read") != std::string_view::npos);
}

}  // namespace fl::vm::test

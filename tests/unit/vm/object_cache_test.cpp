// Typed objects in slab memory: ObjectCache, SharedObjectCache, containers.
#include <catch2/catch_test_macros.hpp>
#include <memory>

#include "tests/unit/vm/slab_kernel.hpp"
#include "vm/slab/object_cache.hpp"
#include "vm/slab/stl_allocator.hpp"

namespace fl::vm::test {
namespace {
struct Counted {
  static inline int alive = 0;
  int value;
  explicit Counted(int v) : value(v) { ++alive; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  ~Counted() { --alive; }
};
struct Throws {
  Throws() { throw std::bad_alloc(); }
};
}  // namespace

TEST_CASE("slab: ObjectCache constructs and destroys in simulated RAM") {
  Kernel kernel;
  ObjectCache<Counted> cache(kernel.slab, "counted");
  const Result<Counted*> object = cache.create(5);
  REQUIRE(object);
  CHECK((*object)->value == 5);
  CHECK(reinterpret_cast<std::byte*>(*object) > kernel.ram.data());
  CHECK(reinterpret_cast<std::byte*>(*object) < kernel.ram.data() + kernel.ram.bytes());
  CHECK(Counted::alive == 1);
  {
    const auto owned = cache.make(6);
    REQUIRE(owned);
    CHECK((*owned)->value == 6);
    CHECK(kernel.slab.info(cache.cache()).used_objs == 2);
  }
  cache.destroy(*object);
  CHECK(Counted::alive == 0);
  CHECK(kernel.slab.info(cache.cache()).used_objs == 0);
}

TEST_CASE("slab: an object whose constructor finds no memory is ENOMEM, and its place is free again") {
  Kernel kernel;
  ObjectCache<Throws> cache(kernel.slab, "throws");
  CHECK(cache.create().error() == Errno::kENOMEM);
  CHECK(kernel.slab.info(cache.cache()).used_objs == 0);
  SharedObjectCache<Throws> shared(kernel.slab, "throws_shared");
  CHECK(make_shared_object(shared).error() == Errno::kENOMEM);
  CHECK(kernel.slab.info(shared.cache()).used_objs == 0);
}

TEST_CASE("slab: a shared object and its counts are one slab object") {
  Kernel kernel;
  SharedObjectCache<Counted> cache(kernel.slab, "shared");
  CHECK(cache.cache().object_size >= sizeof(Counted) + 16);
  auto first = make_shared_object(cache, 9);
  REQUIRE(first);
  CHECK((*first)->value == 9);
  std::weak_ptr<Counted> weak = *first;
  first->reset();
  CHECK(Counted::alive == 0);
  CHECK(kernel.slab.info(cache.cache()).used_objs == 1);
  weak.reset();
  CHECK(kernel.slab.info(cache.cache()).used_objs == 0);
}

TEST_CASE("slab: out of memory is ENOMEM for typed objects") {
  Kernel kernel(64);
  ObjectCache<Counted> cache(kernel.slab, "counted");
  SharedObjectCache<Counted> shared(kernel.slab, "shared");
  while (kernel.pages.alloc_pages(kGfpKernel)) {
  }
  CHECK(cache.create(1).error() == Errno::kENOMEM);
  CHECK(cache.make(1).error() == Errno::kENOMEM);
  CHECK(make_shared_object(shared, 1).error() == Errno::kENOMEM);
  CHECK(Counted::alive == 0);
}

TEST_CASE("slab: a container grows in simulated RAM until there is none") {
  Kernel kernel(256);
  SlabVector<uint64_t> numbers{SlabStlAllocator<uint64_t>(kernel.slab)};
  const Status grown = with_memory([&] {
    while (true) {
      numbers.push_back(numbers.size());
    }
  });
  CHECK(grown.error() == Errno::kENOMEM);
  REQUIRE(numbers.size() >= 1024);
  CHECK(numbers[1000] == 1000);
  const uint32_t before = kernel.slab.large_pages();
  numbers.clear();
  numbers.shrink_to_fit();
  CHECK(kernel.slab.large_pages() < before);
  const KmemCache& cache = *kernel.slab.kmalloc_slab(64, kGfpKernel);
  const uint32_t used = kernel.slab.info(cache).used_objs;
  SlabString text("a string that is too long to stand in the object itself", SlabStlAllocator<char>(kernel.slab));
  CHECK(kernel.slab.info(cache).used_objs == used + 1);
  CHECK(kernel.slab.problems().empty());
}

}  // namespace fl::vm::test

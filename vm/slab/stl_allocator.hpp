// SlabStlAllocator<T>: standard containers of the kernel in kmalloc memory, so that what a guest makes grow is RAM of
// its machine.
//
// A container throws std::bad_alloc when there is no memory, and no exception may leave a folder: whoever lets such a
// container grow catches it in the same function (with_memory does) and answers ENOMEM, or reserves room beforehand by
// a step that may fail. Memory is contiguous: at most 4 MiB, and large arrays may fail when RAM is fragmented.
#pragma once

#include <new>
#include <string>
#include <utility>
#include <vector>

#include "mmu/base/result.hpp"
#include "vm/slab/slab_allocator.hpp"

namespace fl::vm {

template <class T>
class SlabStlAllocator {
 public:
  using value_type = T;
  using propagate_on_container_move_assignment = std::true_type;
  using propagate_on_container_swap = std::true_type;

  explicit SlabStlAllocator(SlabAllocator& slab) : slab_(&slab) {}
  template <class U>
  SlabStlAllocator(const SlabStlAllocator<U>& other) : slab_(&other.slab()) {}

  T* allocate(size_t count) {
    static_assert(alignof(T) <= kSlabMinAlign);
    void* const place = count > kMostBytes / sizeof(T) ? nullptr : slab_->kmalloc(count * sizeof(T), kGfpKernel);
    if (place == nullptr) {
      throw std::bad_alloc();
    }
    return static_cast<T*>(place);
  }
  void deallocate(T* place, size_t) { slab_->kfree(place); }

  SlabAllocator& slab() const { return *slab_; }
  template <class U>
  bool operator==(const SlabStlAllocator<U>& other) const {
    return slab_ == &other.slab();
  }

 private:
  static constexpr size_t kMostBytes = size_t{kPageSize} << kKmallocMaxOrder;
  SlabAllocator* slab_;
};

template <class T>
using SlabVector = std::vector<T, SlabStlAllocator<T>>;
using SlabString = std::basic_string<char, std::char_traits<char>, SlabStlAllocator<char>>;

// Runs something that lets containers grow: ENOMEM instead of an exception.
template <class F>
Status with_memory(F&& grow) {
  try {
    std::forward<F>(grow)();
    return {};
  } catch (const std::bad_alloc&) {
    return fail(Errno::kENOMEM);
  }
}

}  // namespace fl::vm

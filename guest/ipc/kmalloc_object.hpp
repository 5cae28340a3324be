// KmallocPtr: an object of its own in kmalloc memory. For what Linux takes by kmalloc, not from a cache of its own.
#pragma once

#include <memory>
#include <new>
#include <utility>

#include "mmu/base/result.hpp"
#include "vm/slab/slab_allocator.hpp"

namespace fl::guest {

struct KmallocDeleter {
  vm::SlabAllocator* slab = nullptr;
  template <class T>
  void operator()(T* object) const {
    object->~T();
    slab->kfree(object);
  }
};
template <class T>
using KmallocPtr = std::unique_ptr<T, KmallocDeleter>;

// ENOMEM, also when the constructor finds no memory for what the object contains. Linux: kzalloc.
template <class T, class... A>
Result<KmallocPtr<T>> kmalloc_object(vm::SlabAllocator& slab, A&&... args) {
  static_assert(alignof(T) <= vm::kSlabMinAlign);
  void* const place = slab.kmalloc(sizeof(T), vm::kGfpKernel);
  if (place == nullptr) {
    return fail(Errno::kENOMEM);
  }
  try {
    return KmallocPtr<T>(new (place) T(std::forward<A>(args)...), KmallocDeleter{&slab});
  } catch (const std::bad_alloc&) {
    slab.kfree(place);
    return fail(Errno::kENOMEM);
  }
}

}  // namespace fl::guest

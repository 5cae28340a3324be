// ObjectCache<T>: kernel objects as C++ objects in slab memory. A cache is made at boot and named as Linux names it;
// objects are constructed in it and destroyed by it. Linux counterparts: KMEM_CACHE, kmem_cache_alloc, kmem_cache_free.
//
// Every allocation may fail. create, make and make_shared_object answer ENOMEM; a T whose constructor throws
// std::bad_alloc (a member that allocates through SlabStlAllocator) counts as such too, and nothing is left behind.
#pragma once

#include <algorithm>
#include <memory>
#include <new>
#include <string_view>
#include <utility>

#include "mmu/base/check.hpp"
#include "mmu/base/result.hpp"
#include "vm/slab/slab_allocator.hpp"

namespace fl::vm {

template <class T>
class ObjectCache {
 public:
  // A KmemCache named `name` for objects of T. Only at boot: without memory the machine stops (Linux: SLAB_PANIC).
  ObjectCache(SlabAllocator& slab, std::string_view name, SlabFlags flags = {})
      : slab_(slab), cache_(slab.kmem_cache_create(name, sizeof(T), alignof(T), flags)) {
    FL_CHECK(cache_ != nullptr, "no memory for the cache '{}'", name);
  }
  ObjectCache(const ObjectCache&) = delete;
  ObjectCache& operator=(const ObjectCache&) = delete;
  // A cache that still has objects stays (the machine goes away as a whole).
  ~ObjectCache() { static_cast<void>(slab_.kmem_cache_destroy(cache_)); }

  // An object constructed in slab memory (GFP_KERNEL). ENOMEM.
  template <class... A>
  Result<T*> create(A&&... args) {
    void* const place = slab_.kmem_cache_alloc(*cache_, kGfpKernel);
    if (place == nullptr) {
      return fail(Errno::kENOMEM);
    }
    try {
      return new (place) T(std::forward<A>(args)...);
    } catch (const std::bad_alloc&) {
      slab_.kmem_cache_free(*cache_, place);
      return fail(Errno::kENOMEM);
    }
  }
  // Destroys an object that create gave; null is allowed.
  void destroy(T* object) {
    if (object != nullptr) {
      object->~T();
      slab_.kmem_cache_free(*cache_, object);
    }
  }

  struct Deleter {
    ObjectCache* cache = nullptr;
    void operator()(T* object) const { cache->destroy(object); }
  };
  using Ptr = std::unique_ptr<T, Deleter>;
  // As create; the object destroys itself with its pointer. The cache must outlive it.
  template <class... A>
  Result<Ptr> make(A&&... args) {
    FL_TRY_ASSIGN(T* const object, create(std::forward<A>(args)...));
    return Ptr(object, Deleter{this});
  }

  KmemCache& cache() { return *cache_; }
  const KmemCache& cache() const { return *cache_; }
  SlabAllocator& slab() const { return slab_; }

 private:
  SlabAllocator& slab_;
  KmemCache* cache_;
};

// The allocator with which std::allocate_shared takes an object and its counts from one cache. Its allocate throws
// std::bad_alloc; only make_shared_object uses it.
template <class T>
class SharedObjectAllocator {
 public:
  using value_type = T;
  SharedObjectAllocator(SlabAllocator& slab, KmemCache& cache) : slab_(&slab), cache_(&cache) {}
  template <class U>
  SharedObjectAllocator(const SharedObjectAllocator<U>& other) : slab_(other.slab_), cache_(other.cache_) {}

  T* allocate(size_t count) {
    FL_CHECK(count == 1 && sizeof(T) <= cache_->object_size && alignof(T) <= cache_->align,
             "{} objects of {} bytes from cache '{}'", count, sizeof(T), cache_->name());
    void* const place = slab_->kmem_cache_alloc(*cache_, kGfpKernel);
    if (place == nullptr) {
      throw std::bad_alloc();
    }
    return static_cast<T*>(place);
  }
  void deallocate(T* object, size_t) { slab_->kmem_cache_free(*cache_, object); }
  template <class U>
  bool operator==(const SharedObjectAllocator<U>& other) const {
    return cache_ == other.cache_;
  }

 private:
  template <class U>
  friend class SharedObjectAllocator;
  SlabAllocator* slab_;
  KmemCache* cache_;
};

struct MeasuredObject {
  size_t bytes = 0;
  size_t align = 0;
};
// Tells, by failing, how much std::allocate_shared would allocate. As large as SharedObjectAllocator, which counts too.
template <class T>
class MeasuringAllocator {
 public:
  using value_type = T;
  explicit MeasuringAllocator(MeasuredObject& measured) : measured_(&measured) {}
  template <class U>
  MeasuringAllocator(const MeasuringAllocator<U>& other) : measured_(other.measured_), unused_(other.unused_) {}
  T* allocate(size_t) {
    *measured_ = {sizeof(T), alignof(T)};
    throw std::bad_alloc();
  }
  void deallocate(T*, size_t) {}
  template <class U>
  bool operator==(const MeasuringAllocator<U>&) const {
    return true;
  }

 private:
  template <class U>
  friend class MeasuringAllocator;
  MeasuredObject* measured_;
  void* unused_ = nullptr;
};

// A cache for objects with shared ownership: an object and its counts are one slab object.
template <class T>
class SharedObjectCache {
 public:
  // Objects of at least `at_least` bytes: room for classes that are derived from T.
  SharedObjectCache(SlabAllocator& slab, std::string_view name, SlabFlags flags = {}, uint32_t at_least = 0)
      : slab_(slab), cache_(create_cache(slab, name, flags, at_least)) {
    FL_CHECK(cache_ != nullptr, "no memory for the cache '{}'", name);
  }
  SharedObjectCache(const SharedObjectCache&) = delete;
  SharedObjectCache& operator=(const SharedObjectCache&) = delete;
  ~SharedObjectCache() { static_cast<void>(slab_.kmem_cache_destroy(cache_)); }

  SharedObjectAllocator<T> allocator() { return {slab_, *cache_}; }
  KmemCache& cache() { return *cache_; }
  const KmemCache& cache() const { return *cache_; }
  SlabAllocator& slab() const { return slab_; }

 private:
  // Of T's size and alignment, and easily made.
  struct alignas(alignof(T)) StandIn {
    std::byte bytes[sizeof(T)];
  };
  static KmemCache* create_cache(SlabAllocator& slab, std::string_view name, SlabFlags flags, uint32_t at_least) {
    MeasuredObject measured;
    try {
      static_cast<void>(std::allocate_shared<StandIn>(MeasuringAllocator<StandIn>(measured)));
    } catch (const std::bad_alloc&) {
      // As it must be.
    }
    return slab.kmem_cache_create(name, std::max(static_cast<uint32_t>(measured.bytes), at_least),
                                  static_cast<uint32_t>(measured.align), flags);
  }

  SlabAllocator& slab_;
  KmemCache* cache_;
};

// A shared object in slab memory; it frees itself with its last owner, which the cache must outlive. ENOMEM.
template <class T, class... A>
Result<std::shared_ptr<T>> make_shared_object(SharedObjectCache<T>& cache, A&&... args) {
  try {
    return std::allocate_shared<T>(cache.allocator(), std::forward<A>(args)...);
  } catch (const std::bad_alloc&) {
    return fail(Errno::kENOMEM);
  }
}

}  // namespace fl::vm

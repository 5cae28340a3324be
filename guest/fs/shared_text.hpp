// SharedText: a text of the kernel that does not change and that several objects keep: the names of open files. One
// kmalloc object, its owners' count included. Linux counterpart: dentry->d_name of a long name (struct external_name).
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <string_view>

#include "mmu/base/result.hpp"
#include "vm/slab/stl_allocator.hpp"

namespace fl::guest {

class SharedText {
 public:
  SharedText() = default;
  // ENOMEM.
  static Result<SharedText> make(vm::SlabAllocator& slab, std::string_view text) {
    SharedText made;
    const Status done = vm::with_memory([&] {
      auto bytes = std::allocate_shared<char[]>(vm::SlabStlAllocator<char>(slab), text.size() + 1);
      std::memcpy(bytes.get(), text.data(), text.size());
      made.bytes_ = std::move(bytes);
    });
    if (!done) {
      return fail(done.error());
    }
    made.length_ = text.size();
    return made;
  }

  std::string_view view() const { return {bytes_.get(), length_}; }
  // With a NUL behind it.
  const char* c_str() const { return bytes_.get(); }
  // Keeps what view() shows.
  std::shared_ptr<const void> owner() const { return bytes_; }

 private:
  std::shared_ptr<const char[]> bytes_;
  size_t length_ = 0;
};

}  // namespace fl::guest

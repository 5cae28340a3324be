// InlineFunction: a callable kept inside the object, never on a heap: what open files of /proc and /sys are made with.
//
// For lambdas that capture a few pointers and numbers; more does not compile.
#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <new>
#include <type_traits>
#include <utility>

namespace fl::guest {

template <class Signature>
class InlineFunction;

template <class R, class... A>
class InlineFunction<R(A...)> {
 public:
  InlineFunction() = default;
  template <class F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, InlineFunction>)
      InlineFunction(F function)  // NOLINT(google-explicit-constructor): as std::function
      : call_([](const std::byte* from, A... args) -> R {
          return (*std::launder(reinterpret_cast<const F*>(from)))(std::forward<A>(args)...);
        }) {
    static_assert(std::is_trivially_copyable_v<F> && sizeof(F) <= kBytes && alignof(F) <= alignof(void*));
    ::new (static_cast<void*>(bytes_.data())) F(function);
  }

  R operator()(A... args) const { return call_(bytes_.data(), std::forward<A>(args)...); }
  explicit operator bool() const { return call_ != nullptr; }

 private:
  static constexpr size_t kBytes = 4 * sizeof(void*);
  alignas(void*) std::array<std::byte, kBytes> bytes_{};
  R (*call_)(const std::byte* from, A... args) = nullptr;
};

}  // namespace fl::guest

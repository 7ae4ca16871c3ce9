#pragma once

#include <cstddef>
#include <string_view>

namespace hone {

/// A string that can be a template argument: Classify<"is_positive", 2>. Host code only: kernels take no such arguments.
template <std::size_t N>
struct FixedString {
  char text[N]{};

  consteval FixedString(char const (&literal)[N]) {
    for (std::size_t i = 0; i < N; ++i) text[i] = literal[i];
  }
  constexpr std::string_view view() const { return {text, N - 1}; }

  template <std::size_t M>
  constexpr bool operator==(FixedString<M> const& other) const {
    return view() == other.view();
  }
};

}  // namespace hone

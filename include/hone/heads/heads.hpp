#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <vector>

#include "hone/core/fixed_string.hpp"
#include "hone/heads/classify.hpp"
#include "hone/heads/head.hpp"
#include "hone/heads/regress.hpp"

namespace hone {
namespace detail {

/// One check an element, so that the compiler prints its index and type.
template <std::size_t Index, class H>
struct CheckHead {
  static_assert(Head<H>, "[hone-E120] Heads: element #Index is not a head: it needs name(), width, Label, Map, allows() and "
                         "allowed(). See docs/errors.md#e120.");
};

template <class... H>
constexpr bool names_differ() {
  std::array<std::string_view, sizeof...(H)> const names{H::name()...};
  for (std::size_t i = 0; i < names.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (names[i] == names[j]) return false;
  return true;
}

template <class Sequence, class... H>
struct CheckHeads;
template <std::size_t... I, class... H>
struct CheckHeads<std::index_sequence<I...>, H...> : CheckHead<I, H>... {};

}  // namespace detail

/// A list of heads, chosen at compile time: Heads<Classify<"is_positive", 2>, Regress<"star_rating", Affine<5, 5>>>.
///
/// Errors at compile time: E120 an element is not a head, E122 no head at all, E123 two heads of one name.
template <class... H>
struct Heads : private detail::CheckHeads<std::index_sequence_for<H...>, H...> {
  static_assert(sizeof...(H) > 0, "[hone-E122] Heads: a model needs at least one head. See docs/errors.md#e122.");
  static constexpr std::size_t count = sizeof...(H);
  template <std::size_t I>
  using At = std::tuple_element_t<I, std::tuple<H...>>;
  using Labels = std::tuple<std::vector<typename H::Label>...>;  ///< of one batch, by head

  static constexpr std::array<std::string_view, count> names() { return {H::name()...}; }
  static_assert(detail::names_differ<H...>(), "[hone-E123] Heads: two heads have one name. See docs/errors.md#e123.");

  /// The position of the head of this name.
  template <FixedString Name>
  static constexpr std::size_t index() {
    constexpr auto all = names();
    for (std::size_t i = 0; i < count; ++i)
      if (all[i] == Name.view()) return i;
    return count;
  }
};

/// Calls f(std::integral_constant<std::size_t, 0>{}), .. f(<count - 1>): a loop over a compile-time list.
template <std::size_t Count, class F>
constexpr void for_each_index(F&& f) {
  [&]<std::size_t... I>(std::index_sequence<I...>) { (f(std::integral_constant<std::size_t, I>{}), ...); }
  (std::make_index_sequence<Count>{});
}

}  // namespace hone

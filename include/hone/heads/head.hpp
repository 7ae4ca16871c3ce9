#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include "hone/core/backend.hpp"

namespace hone {

/// What a head does to the output of its linear layer, element by element.
template <class M>
concept OutputMap = requires(double x) {
  { M::template value<double>(x) } -> std::same_as<double>;
  { M::template derivative<double>(x) } -> std::same_as<double>;
};

/// y = x
struct Identity {
  template <class S>
  HONE_HOST_DEVICE static S value(S x) {
    return x;
  }
  template <class S>
  HONE_HOST_DEVICE static S derivative(S) {
    return S(1);
  }
};

/// y = Scale * x + Shift. Affine<5, 5> puts a star rating of 1 to 10 near the middle of what a fresh layer gives.
template <int Scale, int Shift>
struct Affine {
  template <class S>
  HONE_HOST_DEVICE static S value(S x) {
    return S(Scale) * x + S(Shift);
  }
  template <class S>
  HONE_HOST_DEVICE static S derivative(S) {
    return S(Scale);
  }
};

/// A head on the sentence vector: map(linear(dropout([CLS]))).
///
/// It names itself (its parameters are NAME.weight (K, D) and NAME.bias (K), its labels are the data's column NAME), has
/// a width K, a label type, an output map, and says which labels are right.
template <class H>
concept Head = requires(double label) {
  { H::name() } -> std::convertible_to<std::string_view>;
  { H::width } -> std::convertible_to<Index>;
  typename H::Label;
  requires OutputMap<typename H::Map>;
  { H::allows(label) } -> std::same_as<bool>;
  { H::allowed() } -> std::convertible_to<std::string>;
};

/// A head whose outputs are logits of classes 0 to H::width - 1.
template <class H>
concept ClassifyingHead = requires { requires H::classifies; };

}  // namespace hone

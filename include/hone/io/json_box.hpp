// A JSON value that a struct can hold whose header does not include the parser, which takes seconds to compile.
#pragma once

#include <concepts>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <utility>

#include "hone/core/config.hpp"

#if HONE_BODIES
#include <nlohmann/json.hpp>
#endif

namespace hone {

/// A value of type Json (nlohmann::json or ordered_json) in memory of its own; null until it is set. Copies are deep. Who
/// looks into it with * or -> includes <nlohmann/json.hpp>.
template <class Json>
class JsonBox {
 public:
  JsonBox();
  /// A value as it is; no list in braces, which would mean another value than it does for Json itself.
  template <std::same_as<Json> J>
  JsonBox(J value) : JsonBox(&value) {}  // NOLINT(google-explicit-constructor): a value is a box of itself
  JsonBox(JsonBox const& other);
  JsonBox(JsonBox&& other) noexcept;
  JsonBox& operator=(JsonBox other) noexcept;
  ~JsonBox();

  Json& operator*();
  Json const& operator*() const;
  Json* operator->() { return &**this; }
  Json const* operator->() const { return &**this; }

  /// True when it holds null.
  bool is_null() const;

 private:
  explicit JsonBox(Json* value);  // takes what it holds

  std::unique_ptr<Json> value_;  // a null pointer stands for null, too
};

#if HONE_BODIES

template <class Json>
JsonBox<Json>::JsonBox() = default;

template <class Json>
JsonBox<Json>::JsonBox(Json* value) : value_(std::make_unique<Json>(std::move(*value))) {}

template <class Json>
JsonBox<Json>::JsonBox(JsonBox const& other) : value_(other.value_ ? std::make_unique<Json>(*other.value_) : nullptr) {}

template <class Json>
JsonBox<Json>::JsonBox(JsonBox&& other) noexcept = default;

template <class Json>
JsonBox<Json>& JsonBox<Json>::operator=(JsonBox other) noexcept {
  value_ = std::move(other.value_);
  return *this;
}

template <class Json>
JsonBox<Json>::~JsonBox() = default;

template <class Json>
Json& JsonBox<Json>::operator*() {
  if (!value_) value_ = std::make_unique<Json>();
  return *value_;
}

template <class Json>
Json const& JsonBox<Json>::operator*() const {
  static Json const null;
  return value_ ? *value_ : null;
}

template <class Json>
bool JsonBox<Json>::is_null() const {
  return !value_ || value_->is_null();
}

#if defined(HONE_KERNELS_ELSEWHERE)
template class JsonBox<nlohmann::json>;
template class JsonBox<nlohmann::ordered_json>;
#endif

#endif

}  // namespace hone

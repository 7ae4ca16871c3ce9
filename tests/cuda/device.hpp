// What the tests on a device share: whether there is one, and operations on it and on the host by the same lines.
#pragma once

#include <hone/cuda/backend.cuh>

#include <functional>
#include <string>
#include <type_traits>
#include <vector>

#include "hone/core/buffer.hpp"
#include "support/compare_rungs.hpp"

namespace hone::test {

/// Empty where a device can be used, else why not.
inline std::string no_device() {
  try {
    CudaContext const context(CudaOptions{.threads = 1});
    return "";
  } catch (Error const& error) {
    return error.what();
  }
}

/// The Thrust algorithms on the device, and generic/ there: what the kernels are compared with besides the reference.
template <class P>
struct DeviceThrust : Cuda<P> {
  using Ladder = hone::Ladder<ThrustRung, GenericRung>;
};
template <class P>
struct DeviceGeneric : Cuda<P> {
  using Ladder = hone::Ladder<GenericRung>;
};

template <class B>
inline constexpr bool is_on_host = std::is_base_of_v<HostContext, typename B::Context>;

/// The memory of one run of an operation: host values as views where the backend's memory is. `fetch` brings back what is
/// there at the end.
template <class B>
class Place {
 public:
  explicit Place(typename B::Context& context) : context_(&context) {}

  /// The grid's values, gaps included. The grid must live until fetch().
  template <class T>
  MatrixView<T> operator()(Grid<T>& grid) {
    auto const view = grid.view();
    return {put(view.data, static_cast<std::size_t>(view.rows * view.stride), true), view.rows, view.cols, view.stride};
  }
  template <class T>
  MatrixView<T const> operator()(Grid<T> const& grid) {
    auto const view = grid.view();
    return {put(const_cast<T*>(view.data), static_cast<std::size_t>(view.rows * view.stride), false), view.rows, view.cols,
            view.stride};
  }
  template <class T>
  VectorView<T> vector(Grid<T>& grid) {
    return {(*this)(grid).data, grid.cols()};
  }
  template <class T>
  VectorView<T const> vector(Grid<T> const& grid) {
    return {(*this)(grid).data, grid.cols()};
  }
  template <class T>
  VectorView<T const> vector(std::vector<T> const& values) {
    return {put(const_cast<T*>(values.data()), values.size(), false), static_cast<Index>(values.size())};
  }
  RowMap rows(Rows const& of) { return {vector(of.sequence), vector(of.position), of.first_example}; }

  void fetch() {
    for (auto const& bring : back_) bring();
    context_->synchronize();
  }

 private:
  template <class T>
  T* put(T* host, std::size_t count, bool changes) {
    if constexpr (is_on_host<B>) {
      return host;
    } else {
      if (count == 0) return nullptr;
      auto& memory = memory_.emplace_back(*context_, static_cast<Index>(count * sizeof(T)));
      context_->upload(memory.data(), host, count * sizeof(T));
      T* const there = reinterpret_cast<T*>(memory.data());
      if (changes) back_.push_back([this, host, there, count] { context_->download(host, there, count * sizeof(T)); });
      return there;
    }
  }

  typename B::Context* context_;
  std::vector<Buffer<B, std::byte>> memory_;
  std::vector<std::function<void()>> back_;
};

/// `compute(Place<B>&, context)` runs an operation and returns its outputs, after fetch(). Checks backend B on the device
/// against Reference<P>: values, gaps, and equal bits in a second run.
template <class B, class Compute>
void check_on_device(CudaContext& device, Compute const& compute, std::int64_t terms) {
  using P = typename B::Precision;
  HostContext host({1});
  auto const expected = compute.template operator()<Reference<P>>(host);
  auto const got = compute.template operator()<B>(device), again = compute.template operator()<B>(device);
  REQUIRE(got.size() == expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    INFO("output " << i << " of " << P::name);
    both(got[i], expected[i], [&](auto const& g, auto const& e) {
      require_close<ActivationOf<P>>(g, e, terms);
      REQUIRE(g.gaps_untouched());
    });
    both(again[i], got[i], [](auto const& a, auto const& g) { REQUIRE(a.same_bits(g)); });
  }
}

}  // namespace hone::test

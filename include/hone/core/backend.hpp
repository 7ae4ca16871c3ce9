#pragma once

#include <concepts>
#include <cstddef>
#include <string_view>
#include <type_traits>

#include "hone/core/matrix.hpp"

namespace hone {

/// Number formats of a backend or of an operation's contract, by what they are for.
template <class P>
using ActivationOf = typename P::Activation;
template <class P>
using StatisticOf = typename P::Statistic;
template <class P>
using MasterOf = typename P::Master;

namespace detail {

struct CountsCalls {  // the smallest functor that for_each must take
  HONE_HOST_DEVICE void operator()(Index) const {}
};

}  // namespace detail

/// A backend is a type: where memory is, how work is run, and which kernels there are.
///
/// It gives `Precision` (fp32, fp64, ...), a `Context` (threads or stream, handles; memory and transfers) and a `Ladder`
/// of rungs. `context.for_each(count, functor)` runs functor(0) .. functor(count - 1) where the memory is, in any order
/// and at once, so that an operation without a kernel of its own still runs there.
template <class B>
concept Backend = requires(typename B::Context& context, std::size_t bytes, void* to, void const* from, Index count) {
  typename B::Precision;
  typename B::Ladder;
  { B::name } -> std::convertible_to<std::string_view>;
  { context.allocate(bytes) } -> std::same_as<void*>;
  { context.deallocate(to, bytes) };
  { context.upload(to, from, bytes) };
  { context.download(to, from, bytes) };
  { context.fill_zero(to, bytes) };
  { context.for_each(count, detail::CountsCalls{}) };
  { context.synchronize() };
};

/// Base of every kernel template's primary: "this rung has no kernel for that operation".
struct NoKernel {};

/// Whether a rung of a ladder has a kernel for an operation. A rung is a type with `name` and `template <class Op> Kernel`.
template <class Rung, class Op>
inline constexpr bool has_kernel = !std::is_base_of_v<NoKernel, typename Rung::template Kernel<Op>>;

/// The rungs of a backend, best first; an operation runs on the first that has a kernel for it.
template <class... Rungs>
struct Ladder {};

namespace detail {

template <class Op, class L>
struct FirstRung;
template <class Op>
struct FirstRung<Op, Ladder<>> {
  using Type = void;
};
template <class Op, class Rung, class... Rest>
struct FirstRung<Op, Ladder<Rung, Rest...>> : FirstRung<Op, Ladder<Rest...>> {};
template <class Op, class Rung, class... Rest>
  requires(has_kernel<Rung, Op>)
struct FirstRung<Op, Ladder<Rung, Rest...>> {
  using Type = Rung;
};

}  // namespace detail

/// The rung of backend B that runs operation Op; void when none does.
template <class B, class Op>
using RungOf = typename detail::FirstRung<Op, typename B::Ladder>::Type;

/// Bytes of the context's scratch memory that backend B's kernel for Op asks for, where the operation has so many rows of
/// this width: `static std::size_t scratch_bytes(Index rows, Index width)` of the kernel, at most that for fewer rows.
/// 0 for kernels that have no such member.
template <class B, class Op>
std::size_t kernel_scratch(Index rows, Index width) {
  if constexpr (requires { RungOf<B, Op>::template Kernel<Op>::scratch_bytes(rows, width); })
    return RungOf<B, Op>::template Kernel<Op>::scratch_bytes(rows, width);
  else
    return static_cast<void>(rows), static_cast<void>(width), 0;
}

/// How much is taken where so much is needed and a little more may be next: some more, so that this means no new memory.
inline constexpr std::size_t with_reserve(std::size_t bytes) { return bytes + bytes / 8; }

/// Tells a context that has scratch memory for kernels how much of it will be asked for at most. Such a context takes it
/// now, with_reserve(bytes), unless it has as much: within a step no memory is taken.
template <class Context>
void reserve_scratch(Context& context, std::size_t bytes) {
  if constexpr (requires { context.reserve_scratch(bytes); }) context.reserve_scratch(bytes);
}

/// Runs an operation on the best rung of the backend's ladder.
///
/// An operation is a struct of views and numbers, whose doc block in ops/ is its contract. Errors at compile time:
/// E110 when no rung has a kernel for it.
template <class B, class Op>
void run(typename B::Context& context, Op const& operation) {
  using Rung = RungOf<B, Op>;
  static_assert(
      !std::is_void_v<Rung>,
      "[hone-E110] No rung of this backend's ladder has a kernel for this operation. Include the rung's headers, or "
      "end the ladder with GenericRung. See docs/errors.md#e110.");
  if constexpr (!std::is_void_v<Rung>) Rung::template Kernel<Op>::run(context, operation);
}

}  // namespace hone

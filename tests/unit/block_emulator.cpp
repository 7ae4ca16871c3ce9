// The block emulator: kernels that are right run, in every order with the same bits; every kind of mistake is seen.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "hone/cuda/warp.hpp"
#include "hone/testing/cuda_emulator.hpp"
#include "support/catch.hpp"
#include "support/check_orders.hpp"
#include "support/error_matcher.hpp"

namespace {

using namespace hone;
using hone::test::check_orders;
using hone::test::error_number;
using hone::test::orders_agree;
using testing::EmulatorContext;
using testing::ThreadOrder;

std::vector<float> some_numbers(std::size_t count) {
  std::vector<float> numbers(count);
  PhiloxStream stream(11, 3);
  for (float& x : numbers) x = static_cast<float>(2 * stream.uniform() - 1);
  return numbers;
}

/// Every row's numbers in reverse, by way of shared memory.
template <bool with_barrier>
struct ReverseKernel {
  static constexpr char const* name = "reverse";
  static constexpr int threads = 64;
  MatrixView<float const> x;
  MatrixView<float> y;
  template <class Thread>
  HONE_HOST_DEVICE void operator()(Thread const& thread) const {
    auto const tile = thread.template shared<float>(16, threads);
    tile[thread.index()] = x(thread.block(), thread.index());
    if constexpr (with_barrier) thread.barrier();
    y(thread.block(), thread.index()) = tile[threads - 1 - thread.index()];
  }
};

template <bool with_barrier>
auto reverse(std::vector<float> const& x) {
  return [&x](EmulatorContext& context) {
    std::vector<float> y(x.size());
    Index const rows = static_cast<Index>(x.size()) / 64;
    context.launch(LaunchShape{.blocks = rows, .shared_bytes = 16 + 64 * sizeof(float)},
                   ReverseKernel<with_barrier>{{x.data(), rows, 64}, {y.data(), rows, 64}});
    return y;
  };
}

/// The sum and the largest of a row, several times over the same scratch memory.
template <class T>
struct RowSumKernel {
  static constexpr char const* name = "row_sum";
  static constexpr int threads = 96;
  MatrixView<T const> x;
  MatrixView<T> y;
  template <class Thread>
  HONE_HOST_DEVICE void operator()(Thread const& thread) const {
    auto const scratch = thread.template shared<T>(0, threads / warp_size);
    Index const row = thread.block();
    T sum = 0, largest = -INFINITY;
    for (Index c = thread.index(); c < x.cols; c += threads) {
      sum += x(row, c);
      largest = x(row, c) > largest ? x(row, c) : largest;
    }
    sum = block_sum(thread, sum, scratch);
    largest = block_max(thread, largest, scratch, static_cast<T>(-INFINITY));
    T const squares = block_sum(thread, thread.index() < 10 ? sum : T(0), scratch);
    y(row, thread.index()) = thread.index() % 3 == 0 ? sum : thread.index() % 3 == 1 ? largest : squares;
  }
};

/// What a thread knows of its place.
struct PlaceKernel {
  static constexpr char const* name = "place";
  static constexpr int threads = 64;
  std::int64_t* out;
  template <class Thread>
  HONE_HOST_DEVICE void operator()(Thread const& thread) const {
    Index const at = (thread.block_y() * thread.blocks() + thread.block()) * thread.threads() + thread.index();
    out[at] = 1 + thread.index() + 1000 * thread.lane() + 100000 * thread.warp() + 1000000 * thread.block() +
              100000000 * thread.block_y();
  }
};

/// Reads shared memory before it writes there.
struct FirstLookKernel {
  static constexpr char const* name = "first_look";
  static constexpr int threads = 64;
  float* out;
  template <class Thread>
  HONE_HOST_DEVICE void operator()(Thread const& thread) const {
    auto const tile = thread.template shared<float>(0, threads);
    out[thread.block() * threads + thread.index()] = tile[thread.index()];
    tile[thread.index()] = 1;
  }
};

/// A kernel from a function, for one launch of one block with 256 bytes of shared memory.
template <class Function, int thread_count = 64>
struct FunctionKernel {
  static constexpr char const* name = "broken";
  static constexpr int threads = thread_count;
  Function const* function;
  template <class Thread>
  void operator()(Thread const& thread) const {
    (*function)(thread);
  }
};

template <class Function>
int run(Function const& function, std::string* message = nullptr, ThreadOrder order = ThreadOrder::forward) {
  EmulatorContext context({.order = order});
  return error_number(
      [&] { context.launch(LaunchShape{.blocks = 1, .shared_bytes = 256}, FunctionKernel<Function>{&function}); }, message);
}

/// The error has this number in every order.
template <class Function>
void check_error(int number, Function const& function, std::vector<std::string> const& parts) {
  for (auto const order : testing::thread_orders) {
    std::string message;
    INFO("order " << hone::test::order_name(order));
    CHECK(run(function, &message, order) == number);
    INFO(message);
    CHECK(message.find("kernel broken") != std::string::npos);
    CHECK(message.find("block 0, 0") != std::string::npos);
    if (order != ThreadOrder::forward) continue;
    for (auto const& part : parts) {
      INFO(part);
      CHECK(message.find(part) != std::string::npos);
    }
  }
}

}  // namespace

TEST_CASE("threads know their place, and every thread of every block runs once") {
  check_orders([](EmulatorContext& context) {
    std::vector<std::int64_t> out(3 * 2 * 64, 0);
    context.launch(LaunchShape{.blocks = 3, .blocks_y = 2}, PlaceKernel{out.data()});
    for (std::int64_t y = 0; y < 2; ++y)
      for (std::int64_t x = 0; x < 3; ++x)
        for (std::int64_t i = 0; i < 64; ++i)
          REQUIRE(out[static_cast<std::size_t>((y * 3 + x) * 64 + i)] ==
                  1 + i + 1000 * (i % 32) + 100000 * (i / 32) + 1000000 * x + 100000000 * y);
    return out;
  });
}

TEST_CASE("a launch of no blocks does nothing") {
  EmulatorContext context;
  context.launch(LaunchShape{.blocks = 0}, PlaceKernel{nullptr});
  context.launch(LaunchShape{.blocks = 2, .blocks_y = 0}, PlaceKernel{nullptr});
  CHECK(context.take_launches().empty());
  std::vector<std::int64_t> out(64);
  context.launch(LaunchShape{}, PlaceKernel{out.data()});
  CHECK(context.take_launches() == std::vector<std::string_view>{"place"});
  CHECK(context.take_launches().empty());
}

TEST_CASE("a barrier orders shared memory; without one the orders differ") {
  auto const x = some_numbers(5 * 64);
  auto const y = check_orders(reverse<true>(x));
  for (std::size_t i = 0; i < y.size(); ++i) REQUIRE(y[i] == x[i / 64 * 64 + 63 - i % 64]);
  CHECK(!orders_agree(reverse<false>(x)));
}

TEST_CASE("shared memory begins as NaN in every block") {
  EmulatorContext context;
  std::vector<float> out(3 * 64);
  context.launch(LaunchShape{.blocks = 3, .shared_bytes = 256}, FirstLookKernel{out.data()});
  for (float const value : out) REQUIRE(std::isnan(value));
}

TEMPLATE_TEST_CASE("sums over a block are right, the same for all threads and in every order", "", float, double) {
  using T = TestType;
  for (Index const cols : {1, 31, 96, 200}) {
    auto const x = hone::test::Grid<T>::random(3, cols, 5);
    auto const y = check_orders([&](EmulatorContext& context) {
      std::vector<hone::test::Grid<T>> y;
      y.emplace_back(3, 96);
      context.launch(LaunchShape{.blocks = 3, .shared_bytes = 3 * sizeof(T)}, RowSumKernel<T>{x.view(), y[0].view()});
      return y;
    })[0];
    for (Index r = 0; r < 3; ++r) {
      double sum = 0, largest = -INFINITY;
      for (Index c = 0; c < cols; ++c) {
        sum += static_cast<double>(x(r, c));
        largest = std::max(largest, static_cast<double>(x(r, c)));
      }
      auto const bound = hone::test::rounding_bound<T>(cols, 1);
      for (Index c = 0; c < 96; ++c) {
        REQUIRE(y(r, c) == y(r, c % 3));
        double const expected = c % 3 == 0 ? sum : c % 3 == 1 ? largest : 10 * sum;
        REQUIRE(std::abs(static_cast<double>(y(r, c)) - expected) <= 10 * bound);
      }
    }
  }
}

TEST_CASE("a maximum keeps NaN") {
  std::vector<float> out(64);
  auto const kernel = [&](testing::EmulatedThread const& thread) {
    float const x = thread.index() == 40 ? NAN : static_cast<float>(thread.index());
    out[static_cast<std::size_t>(thread.index())] = warp_max(thread, x);
  };
  CHECK(run(kernel) == 0);
  CHECK(out[0] == 31);
  CHECK(out[31] == 31);
  for (std::size_t i = 32; i < 64; ++i) CHECK(std::isnan(out[i]));
}

TEST_CASE("shuffles take their lane's value, of 4 and of 8 bytes") {
  std::vector<double> out(64 * 4);
  auto const kernel = [&](testing::EmulatedThread const& thread) {
    auto* const mine = &out[static_cast<std::size_t>(4 * thread.index())];
    mine[0] = thread.shuffle_xor(thread.index() + 0.25, 5);
    mine[1] = thread.shuffle(static_cast<float>(thread.index()), (thread.lane() + 3) % 32);
    mine[2] = static_cast<double>(thread.shuffle(Index{1} << 40 | thread.index(), 7));
    mine[3] = quad_sum(thread, thread.index());
  };
  for (auto const order : testing::thread_orders) {
    CHECK(run(kernel, nullptr, order) == 0);
    for (int i = 0; i < 64; ++i) {
      auto const* const mine = &out[static_cast<std::size_t>(4 * i)];
      int const warp = i / 32 * 32;
      REQUIRE(mine[0] == (i ^ 5) + 0.25);
      REQUIRE(mine[1] == warp + (i + 3) % 32);
      REQUIRE(mine[2] == static_cast<double>((std::int64_t{1} << 40) + warp + 7));
      REQUIRE(mine[3] == 4 * (i / 4 * 4) + 6);
    }
  }
}

TEST_CASE("threads that do not meet are an error") {
  SECTION("a barrier in a branch") {
    check_error(730,
                [](auto const& thread) {
                  if (thread.index() != 31) thread.barrier();
                },
                {"thread 0 waits at a barrier, thread 31 has returned", "Next: take barriers"});
  }
  SECTION("a whole warp misses the barrier") {
    check_error(730,
                [](auto const& thread) {
                  if (thread.warp() == 0) thread.barrier();
                },
                {"thread 32 has returned"});
  }
  SECTION("one barrier more for some") {
    check_error(730,
                [](auto const& thread) {
                  for (int i = 0; i <= thread.warp(); ++i) thread.barrier();
                },
                {"thread 32 waits at a barrier, thread 0 has returned"});
  }
  SECTION("a warp barrier in a branch") {
    check_error(730,
                [](auto const& thread) {
                  if (thread.lane() < 16)
                    thread.warp_barrier();
                  else
                    thread.barrier();
                },
                {"thread 0 waits at a warp barrier, thread 16 waits at a barrier"});
  }
  SECTION("a shuffle in a branch") {
    check_error(730,
                [](auto const& thread) {
                  if (thread.lane() < 30) thread.shuffle_xor(1.0f, 1);
                },
                {"thread 0 waits in shuffle_xor of 4 bytes with mask 1, thread 30 has returned"});
  }
  SECTION("different masks") {
    check_error(730, [](auto const& thread) { thread.shuffle_xor(1.0, thread.lane() == 9 ? 2 : 1); },
                {"with mask 1, thread 9 waits in shuffle_xor of 8 bytes with mask 2"});
  }
  SECTION("different sizes") {
    check_error(730,
                [](auto const& thread) {
                  if (thread.lane() == 2)
                    thread.shuffle(1.0, 0);
                  else
                    thread.shuffle(1, 0);
                },
                {"thread 0 waits in shuffle of 4 bytes, thread 2 waits in shuffle of 8 bytes"});
  }
  SECTION("an mma that one lane does not come to") {
    auto const kernel = [](auto const& thread) {
      float c[4] = {};
      std::uint32_t const a[4] = {}, b[2] = {};
      if (thread.lane() != 5)
        thread.mma_bf16(c, a, b);
      else
        thread.warp_barrier();
    };
    check_error(730, kernel, {"thread 0 waits in mma, thread 5 waits at a warp barrier"});
  }
}

TEST_CASE("shared memory is checked") {
  SECTION("an index above") {
    check_error(731, [](auto const& thread) { thread.template shared<float>(0, 63)[thread.index()] = 1; },
                {"thread 63: index 63", "allowed 0 to 62"});
  }
  SECTION("an index below") {
    check_error(731, [](auto const& thread) { thread.template shared<float>(4, 63)[thread.index() - 1] = 1; },
                {"thread 0: index -1"});
  }
  SECTION("an empty piece") {
    check_error(731, [](auto const& thread) { thread.template shared<float>(256, 0)[0] = 1; }, {"the piece is empty"});
  }
  SECTION("a wide access over the end") {
    check_error(731, [](auto const& thread) { load_as<Words4>(thread.template shared<float>(0, 64), 4 * thread.index()); },
                {"thread 16: index 64"});
  }
  SECTION("a wide access that is not aligned") {
    std::string message;
    CHECK(run([](auto const& thread) { store_as(thread.template shared<float>(0, 64), 2, Words4{}); }, &message) == 738);
    CHECK(message.find("8 bytes above a multiple of 16") != std::string::npos);
  }
  SECTION("more than the launch gives") {
    check_error(732, [](auto const& thread) { thread.template shared<double>(8, 32); },
                {"32 values of 8 bytes from byte 8"});
  }
  SECTION("an offset that does not fit the type") {
    check_error(732, [](auto const& thread) { thread.template shared<double>(4, 1); }, {"multiple of 8"});
  }
  SECTION("a negative count") {
    check_error(732, [](auto const& thread) { thread.template shared<double>(0, -1); }, {"-1 values"});
  }
}

TEST_CASE("an exchange with a lane that does not exist is an error") {
  check_error(735, [](auto const& thread) { thread.shuffle(1.0f, thread.lane() + 1); },
              {"thread 31: 32", "allowed 0 to 31"});
  check_error(735, [](auto const& thread) { thread.shuffle_xor(1.0f, 32); }, {"thread 0: 32"});
}

TEST_CASE("wide loads and stores move whole words") {
  std::vector<float> out(64);
  auto const kernel = [&](auto const& thread) {
    auto const tile = thread.template shared<float>(0, 64);
    tile[thread.index()] = static_cast<float>(thread.index());
    thread.barrier();
    auto const words = load_as<Words4>(tile + 16, 4 * (thread.index() % 4));
    thread.barrier();
    store_as(tile, 4 * (thread.index() % 4), words);
    thread.barrier();
    out[static_cast<std::size_t>(thread.index())] = tile[thread.index()];
  };
  CHECK(run(kernel) == 0);
  for (int i = 0; i < 64; ++i) CHECK(out[static_cast<std::size_t>(i)] == static_cast<float>(i < 16 ? i + 16 : i));
}

TEST_CASE("memory beside an allocation is watched") {
  // With zones that are poisoned AddressSanitizer would end the program, with hidden memory the host here.
  EmulatorContext context({.poison_zones = false, .hide_memory = false});
  auto* const x = static_cast<float*>(context.allocate(10 * sizeof(float)));
  auto* const y = static_cast<float*>(context.allocate(3));  // no multiple of anything
  for (int i = 0; i < 10; ++i) CHECK(std::isnan(x[i]));
  for (auto const offset : {Index{10}, Index{70}, Index{-1}, Index{-64}}) {
    auto const write = [&](auto const& thread) {
      if (thread.index() == 7) x[offset] = 1;
    };
    std::string message;
    int const number = error_number([&] { context.launch({}, FunctionKernel<decltype(write)>{&write}); }, &message);
    INFO(message);
    CHECK(number == 733);
    CHECK(message.find("by broken") != std::string::npos);
    CHECK(message.find("the 40 bytes") != std::string::npos);
    CHECK(message.find(offset < 0 ? "before its begin" : "after its end") != std::string::npos);
  }
  auto const inside = [&](auto const& thread) {
    if (thread.index() < 10) x[thread.index()] = 1;
  };
  context.launch({}, FunctionKernel<decltype(inside)>{&inside});  // reported once, and nothing is wrong now
  reinterpret_cast<unsigned char*>(y)[3] = 0;
  context.deallocate(y, 3);  // does not throw
  context.deallocate(x, 10 * sizeof(float));
  std::string message;
  CHECK(error_number([&] { context.synchronize(); }, &message) == 733);
  CHECK(message.find("one that has ended") != std::string::npos);
  CHECK(error_number([&] { context.synchronize(); }) == 0);
}

TEST_CASE("what a thread throws comes out of launch, and the next launch runs") {
  struct Watch {
    int* count;
    explicit Watch(int* c) : count(c) { ++*count; }
    ~Watch() { --*count; }
  };
  EmulatorContext context;
  int alive = 0;
  auto const kernel = [&](auto const& thread) {
    Watch const watch(&alive);
    thread.barrier();
    if (thread.index() == 33) throw std::runtime_error("thirty-three");
    thread.barrier();
  };
  for (auto const order : testing::thread_orders) {
    context.set_order(order);
    CHECK_THROWS_WITH(context.launch({}, FunctionKernel<decltype(kernel)>{&kernel}), "thirty-three");
    CHECK(alive == 0);  // the stacks of the other threads were cleared
  }
  auto const x = some_numbers(64);
  auto const y = reverse<true>(x)(context);
  CHECK(y[0] == x[63]);
}

TEST_CASE("launches that no device takes are errors") {
  EmulatorContext context;
  for (auto const& shape : {LaunchShape{.blocks = -1}, LaunchShape{.blocks = Index{1} << 31}, LaunchShape{.blocks_y = 65536},
                            LaunchShape{.shared_bytes = 232449}}) {
    std::string message;
    CHECK(error_number([&] { context.launch(shape, PlaceKernel{nullptr}); }, &message) == 734);
    CHECK(message.find("kernel place") != std::string::npos);
  }
}

TEST_CASE("blocks of 1024 threads, and kernels of different sizes on one context") {
  EmulatorContext context;
  std::vector<int> out(1024);
  auto const kernel = [&](auto const& thread) {
    thread.barrier();
    int const sum = warp_sum(thread, thread.index());
    out[static_cast<std::size_t>(thread.index())] = sum;
  };
  context.launch({}, FunctionKernel<decltype(kernel), 32>{&kernel});
  context.launch({}, FunctionKernel<decltype(kernel), 1024>{&kernel});
  context.launch({}, FunctionKernel<decltype(kernel), 64>{&kernel});
  for (int i = 0; i < 1024; ++i) CHECK(out[static_cast<std::size_t>(i)] == i / 32 * 1024 + 496);
}

TEST_CASE("fibers by either switch: pause, go on, exceptions inside, use again") {
  auto const check = []<class Fiber>(Fiber& fiber) {
    struct State {
      Fiber* self;
      std::string log;
    } state{&fiber, {}};
    for (int round = 0; round < 2; ++round) {
      fiber.start(
          [](void* argument) {
            auto& inside = *static_cast<State*>(argument);
            double const half = 0.5;
            inside.log += "a";
            inside.self->pause();
            try {
              inside.log += std::to_string(half).substr(0, 3);
              throw std::runtime_error("b");
            } catch (std::exception const& error) {
              inside.log += error.what();
            }
            inside.self->pause();
            inside.log += "c";
          },
          &state);
      while (fiber.running()) {
        fiber.resume();
        state.log += ".";
      }
    }
    CHECK(state.log == "a.0.5b.c.a.0.5b.c.");
  };
  hone::detail::Fiber<> fiber;
  check(fiber);
  hone::detail::Fiber<hone::detail::UcontextSwitch> by_the_system;
  check(by_the_system);
}

// A training step after the first takes no memory: operator new, from which all of hone's comes, is counted.
#include <atomic>
#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#include "hone/train/trainer.hpp"
#include "support/catch.hpp"
#include "support/small_bert.hpp"

namespace {

std::atomic<long> allocations{0};

void* counted(std::size_t bytes, std::size_t alignment) noexcept {
  allocations.fetch_add(1);
  if (alignment < alignof(std::max_align_t)) alignment = alignof(std::max_align_t);
  return std::aligned_alloc(alignment, (bytes + alignment) / alignment * alignment);  // at least one byte
}
void* counted_or_throw(std::size_t bytes, std::size_t alignment) {
  if (void* const memory = counted(bytes, alignment)) return memory;
  throw std::bad_alloc();
}

/// Not inline: g++ would see free() of what operator new gave, and warn.
__attribute__((noinline)) void release(void* memory) noexcept { std::free(memory); }

}  // namespace

// All forms, so that also under sanitizers, which bring their own, none takes memory past the counter.
void* operator new(std::size_t bytes) { return counted_or_throw(bytes, 1); }
void* operator new[](std::size_t bytes) { return counted_or_throw(bytes, 1); }
void* operator new(std::size_t bytes, std::nothrow_t const&) noexcept { return counted(bytes, 1); }
void* operator new[](std::size_t bytes, std::nothrow_t const&) noexcept { return counted(bytes, 1); }
void* operator new(std::size_t bytes, std::align_val_t at) { return counted_or_throw(bytes, std::size_t(at)); }
void* operator new[](std::size_t bytes, std::align_val_t at) { return counted_or_throw(bytes, std::size_t(at)); }
void* operator new(std::size_t bytes, std::align_val_t at, std::nothrow_t const&) noexcept {
  return counted(bytes, std::size_t(at));
}
void* operator new[](std::size_t bytes, std::align_val_t at, std::nothrow_t const&) noexcept {
  return counted(bytes, std::size_t(at));
}
void operator delete(void* memory) noexcept { release(memory); }
void operator delete[](void* memory) noexcept { release(memory); }
void operator delete(void* memory, std::size_t) noexcept { release(memory); }
void operator delete[](void* memory, std::size_t) noexcept { release(memory); }
void operator delete(void* memory, std::nothrow_t const&) noexcept { release(memory); }
void operator delete[](void* memory, std::nothrow_t const&) noexcept { release(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { release(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { release(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { release(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { release(memory); }
void operator delete(void* memory, std::align_val_t, std::nothrow_t const&) noexcept { release(memory); }
void operator delete[](void* memory, std::align_val_t, std::nothrow_t const&) noexcept { release(memory); }

namespace {

using namespace hone;

/// Texts of 40 tokens in the first step of six, shorter ones in all others.
data::Dataset texts_of_many_lengths() {
  std::vector<Index> lengths(6, 40);
  for (Index i = 0; i < 24; ++i) lengths.push_back(1 + i * 17 % 40);
  return test::random_dataset(lengths);
}

/// What each step after the first allocated, batches, report and results included.
template <class B>
std::vector<long> allocations_of_steps(int threads, Index batch_size) {
  using Model = BertClassifier<B>;
  auto model = test::small_bert<B>(threads);
  Recipe<> recipe{};
  recipe.losses = test::SentimentLosses{{1, 0.02}};
  TrainerOptions options{.learning_rate = 1e-3, .batch_size = batch_size, .step_every = 6 / batch_size};
  Trainer<Model, Recipe<>> trainer(model, options, recipe);
  auto const data = texts_of_many_lengths();
  auto const labels = labels_for<typename Model::HeadsType>(data);
  std::vector<long> counts(9);  // here, so that it is not counted
  for (std::size_t step = 0; step < 10; ++step) {
    std::size_t const first = step % 5 * 6, rows[] = {first + 3, first, first + 1, first + 5, first + 4, first + 2};
    std::size_t const count = step % 4 == 3 ? 4 : 6;  // some steps are smaller
    long const before = allocations;
    StepReport const& report = trainer.step(data, labels, std::span(rows).first(count), 10);
    if (step > 0) counts[step - 1] = allocations - before;
    CHECK(report.step == Index(step + 1));
    CHECK(report.losses.size() == 2);
    CHECK(report.classes.size() == 1);
    CHECK(report.examples == Index(count));
  }
  return counts;
}

TEST_CASE("the counter sees what takes memory") {
  auto const during = [](auto const& what) {
    long const before = allocations;
    what();
    return allocations - before;
  };
  HostContext context(HostOptions{2});
  CHECK(during([] {}) == 0);
  CHECK(during([] { std::vector<double> const some(3); }) == 1);
  CHECK(during([] { detail::free_host_memory(detail::allocate_host_memory(100), 100); }) == 1);
  CHECK(during([] { detail::free_host_memory(detail::allocate_host_memory(8 << 20), 8 << 20); }) == 1);
  CHECK(during([&] { context.pool().in_each_thread([] { std::vector<int> const some(3); }); }) == 2);
  // What a step would look like that makes its batch anew.
  auto const data = texts_of_many_lengths();
  using HeadList = BertClassifier<Cpu<fp32>>::HeadsType;
  auto const labels = labels_for<HeadList>(data);
  std::size_t const rows[] = {1, 2};
  CHECK(during([&] { make_batch<HeadList>(data, labels, rows); }) >= 4);
}

TEMPLATE_TEST_CASE("a step after the first allocates nothing", "", Cpu<fp32>, Cpu<mixed>, Cpu<fp64>) {
  for (int const threads : {1, 2, 3})
    for (Index const batch_size : {6, 3, 2}) {
      INFO(threads << " threads, batches of " << batch_size);
      CHECK(allocations_of_steps<TestType>(threads, batch_size) == std::vector<long>(9, 0));
    }
}

TEMPLATE_TEST_CASE("a whole run allocates nothing after its first steps", "", Cpu<fp32>, Cpu<mixed>) {
  using Model = BertClassifier<TestType>;
  auto model = test::small_bert<TestType>(2);
  Trainer<Model, Recipe<>> trainer(model, {.batch_size = 3, .step_every = 2, .epochs = 6}, {});
  auto const data = test::random_dataset(std::vector<Index>(24, 30));
  std::vector<long> seen(24);
  std::size_t step = 0;
  trainer.fit(data, [&](StepReport const&) { seen[step++] = allocations; });
  REQUIRE(step == 24);
  // Step 2 begins the second of two items. From there on, over epochs: what every step saw is the same.
  CHECK(std::vector<long>(seen.begin() + 1, seen.end()) == std::vector<long>(23, seen[1]));
}

}  // namespace

// Items that are made one ahead: their order, what is thrown, and ends that come early.
#include "hone/train/prefetch.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

#include "support/catch.hpp"

namespace {

using hone::OneAhead;
using Item = std::unique_ptr<int>;  // moves, does not copy

/// Makes 0, 1, .., count - 1, and counts what it made.
std::function<bool(Item&)> counting(int count, std::atomic<int>& made) {
  return [count, &made](Item& item) {
    if (made == count) return false;
    item = std::make_unique<int>(made++);
    return true;
  };
}

TEST_CASE("items come in the order in which they are made, whatever the timing") {
  for (int const pause : {0, 1, 7}) {
    std::atomic<int> made = 0;
    OneAhead<Item> ahead({}, {}, counting(200, made));
    for (int i = 0; i < 200; ++i) {
      for (int wait = 0; pause > 0 && wait < 100 * (i % pause); ++wait) std::this_thread::yield();
      Item const* const item = ahead.next();
      REQUIRE(item);
      REQUIRE(**item == i);
    }
    CHECK(ahead.next() == nullptr);
    CHECK(ahead.next() == nullptr);  // and stays so
  }
}

TEST_CASE("there is one item ahead, not two: the one that is worked on is left alone") {
  std::atomic<int> made = 0;
  OneAhead<Item> ahead({}, {}, counting(100, made));
  for (int i = 0; i < 20; ++i) {
    Item const* const item = ahead.next();
    int const* const number = item->get();
    while (made < i + 2) std::this_thread::yield();  // the next one is made while this one is held
    for (int wait = 0; wait < 200; ++wait) std::this_thread::yield();
    CHECK(made == i + 2);
    CHECK(item->get() == number);
    CHECK(**item == i);
  }
}

TEST_CASE("what making an item throws comes in the item's place") {
  int made = 0;
  OneAhead<Item> ahead({}, {}, [&made](Item& item) {
    if (made == 3) throw std::runtime_error("the fourth");
    item = std::make_unique<int>(made++);
    return true;
  });
  for (int i = 0; i < 3; ++i) CHECK(**ahead.next() == i);
  try {
    ahead.next();
    FAIL("nothing was thrown");
  } catch (std::runtime_error const& error) {
    CHECK(std::string(error.what()) == "the fourth");
  }
  CHECK(ahead.next() == nullptr);
}

TEST_CASE("a caller who stops early, or never begins, leaves no thread behind") {
  std::atomic<int> made = 0;
  for (int taken = 0; taken < 5; ++taken) {
    OneAhead<Item> ahead({}, {}, counting(1000000, made));
    for (int i = 0; i < taken; ++i) ahead.next();
  }
  int const at_end = made;
  for (int wait = 0; wait < 1000; ++wait) std::this_thread::yield();
  CHECK(made == at_end);
  CHECK(at_end <= 5 * 2 + 0 + 1 + 2 + 3 + 4);
}

TEST_CASE("a caller who throws leaves no thread behind") {
  std::atomic<int> made = 0;
  CHECK_THROWS_AS(
      [&] {
        OneAhead<Item> ahead({}, {}, counting(1000000, made));
        ahead.next();
        throw std::runtime_error("the caller");
      }(),
      std::runtime_error);
  CHECK(made <= 3);
}

}  // namespace

// One item ahead: what the next step needs is made while this one runs.
#pragma once

#include <array>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "hone/core/config.hpp"

namespace hone {

namespace detail {

/// OneAhead without the items: which of the two places is made next, which is given out.
class PlacesAhead {
 public:
  /// @param make  called as make(place), 0 or 1; false: there are no more items
  explicit PlacesAhead(std::function<bool(std::size_t)> make);
  PlacesAhead(PlacesAhead const&) = delete;
  PlacesAhead& operator=(PlacesAhead const&) = delete;
  ~PlacesAhead();

  /// The place of the next item; -1 when there are no more.
  int next();

 private:
  void work();
  bool make_one(std::size_t number);
  int taken() { return static_cast<int>(taken_++ % 2); }
  int ended();

  std::function<bool(std::size_t)> make_;
  std::mutex mutex_{};
  std::condition_variable changed_{};
  std::size_t made_ = 0, taken_ = 0, given_back_ = 0;  ///< numbers of items
  bool stop_ = false, ended_ = false;
  std::exception_ptr error_{};
  std::thread thread_{};  ///< the last member: it uses the others
};

#if HONE_BODIES

HONE_INLINE PlacesAhead::PlacesAhead(std::function<bool(std::size_t)> make) : make_(std::move(make)) {
  try {
    thread_ = std::thread([this] { work(); });
  } catch (std::system_error const&) {  // no thread: next() makes them
  }
}

HONE_INLINE PlacesAhead::~PlacesAhead() {
  {
    std::lock_guard<std::mutex> const lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

HONE_INLINE int PlacesAhead::next() {
  if (!thread_.joinable()) return ended_ || !make_one(taken_) ? ended() : taken();
  std::unique_lock<std::mutex> lock(mutex_);
  given_back_ = taken_;
  changed_.notify_all();
  changed_.wait(lock, [this] { return made_ > taken_ || ended_; });
  return made_ > taken_ ? taken() : ended();
}

HONE_INLINE void PlacesAhead::work() {
  for (;;) {
    {
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait(lock, [this] { return stop_ || made_ - given_back_ < 2; });
      if (stop_) return;
    }
    bool const more = make_one(made_);  // this thread alone changes made_
    {
      std::lock_guard<std::mutex> const lock(mutex_);
      if (more)
        ++made_;
      else
        ended_ = true;
    }
    changed_.notify_all();
    if (!more) return;
  }
}

/// Makes item `number` in the place of the one before the last, which was given back.
HONE_INLINE bool PlacesAhead::make_one(std::size_t number) {
  try {
    if (make_(number % 2)) return true;
  } catch (...) {
    error_ = std::current_exception();
  }
  return false;
}

HONE_INLINE int PlacesAhead::ended() {
  ended_ = true;
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  return -1;
}

#endif

}  // namespace detail

/// Makes items one after the other on a thread of its own, at most one ahead of the one that is worked on.
///
/// Two items are used in turn: while the caller works on one, the thread makes the other. Their order is that in which
/// `make` makes them, whatever the timing. The destructor lets the call of `make` at work end and joins the thread, so
/// that a caller who stops early, or throws, leaves nothing behind. Where the system gives no thread, items are made when
/// they are asked for.
///
/// `make` and what it refers to belong to that thread until this object ends; the item that was given out belongs to the
/// caller until the next call.
template <class Item>
class OneAhead {
 public:
  /// @param make  called as make(item), to make the next item in the place of an older one; false: there are no more
  OneAhead(Item first, Item second, std::function<bool(Item&)> make)
      : items_{std::move(first), std::move(second)},
        places_([this, make = std::move(make)](std::size_t place) { return make(items_[place]); }) {}
  OneAhead(OneAhead const&) = delete;
  OneAhead& operator=(OneAhead const&) = delete;

  /// The next item, valid until the next call; null when there are no more. Throws what `make` threw, at the place in the
  /// order where the item would have been; there is none after it.
  Item* next() {
    int const place = places_.next();
    return place < 0 ? nullptr : &items_[static_cast<std::size_t>(place)];
  }

 private:
  std::array<Item, 2> items_;
  detail::PlacesAhead places_;  ///< the last member: its thread uses the items
};

}  // namespace hone

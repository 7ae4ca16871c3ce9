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

namespace hone {

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
      : items_{std::move(first), std::move(second)}, make_(std::move(make)) {
    try {
      thread_ = std::thread([this] { work(); });
    } catch (std::system_error const&) {  // no thread: next() makes them
    }
  }
  OneAhead(OneAhead const&) = delete;
  OneAhead& operator=(OneAhead const&) = delete;
  ~OneAhead() {
    {
      std::lock_guard<std::mutex> const lock(mutex_);
      stop_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
  }

  /// The next item, valid until the next call; null when there are no more. Throws what `make` threw, at the place in the
  /// order where the item would have been; there is none after it.
  Item* next() {
    if (!thread_.joinable()) return ended_ || !make_one(taken_) ? ended() : &items_[taken_++ % 2];
    std::unique_lock<std::mutex> lock(mutex_);
    given_back_ = taken_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return made_ > taken_ || ended_; });
    return made_ > taken_ ? &items_[taken_++ % 2] : ended();
  }

 private:
  void work() {
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
  bool make_one(std::size_t number) {
    try {
      if (make_(items_[number % 2])) return true;
    } catch (...) {
      error_ = std::current_exception();
    }
    return false;
  }
  Item* ended() {
    ended_ = true;
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
    return nullptr;
  }

  std::array<Item, 2> items_;
  std::function<bool(Item&)> make_;
  std::mutex mutex_{};
  std::condition_variable changed_{};
  std::size_t made_ = 0, taken_ = 0, given_back_ = 0;  ///< numbers of items
  bool stop_ = false, ended_ = false;
  std::exception_ptr error_{};
  std::thread thread_{};  ///< the last member: it uses the others
};

}  // namespace hone

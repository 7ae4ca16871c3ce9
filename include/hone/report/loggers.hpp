// Any number of loggers, fed by one background thread, so that logging does not slow a step.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/report/logger.hpp"

namespace hone {

/// How events are handed to loggers.
struct LoggersOptions {
  std::size_t capacity = 4096;  ///< so many events wait at most; then whoever logs waits
  double flush_seconds = 1;     ///< loggers are told to flush at least so often while something is new
  double system_seconds = 10;   ///< between samples of the machine; 0: none are taken
};

namespace detail {

/// What loggers share, whatever their types: the queue of events, and the thread that empties it.
class EventQueue {
 public:
  EventQueue(EventQueue const&) = delete;
  EventQueue& operator=(EventQueue const&) = delete;

 protected:
  struct Flush {};
  using Event = std::variant<RunStart, StepReport, TextTable, EvaluationRecord, std::vector<Finding>, std::string,
                             SystemSample, Flush, RunEnd>;
  enum class State { before, running, after };

  EventQueue(LoggersOptions options, bool takes_samples);
  virtual ~EventQueue();  // whoever derives from this has ended the thread

  /// Tells every logger; in the background thread.
  virtual void deliver(Event const& event) = 0;
  virtual bool empty() const = 0;

  // The caller's side.

  State state() const { return state_; }
  void require(State needed, char const* happened) const;
  void start(RunStart event);
  void put(Event event);
  void flush();
  void finish(RunEnd event);
  /// The end of the object, if the run has not ended before.
  void end() noexcept;
  double waited_seconds() const { return 1e-9 * static_cast<double>(waited_.load()); }

  // The background thread's side.

  /// Keeps the exception at hand for the caller.
  void failed();

 private:
  using Clock = std::chrono::steady_clock;

  void push(Event event, bool is_urgent = false);
  void rethrow();
  void work();
  static Clock::duration seconds(double count);
  std::optional<Event> next_event(Clock::time_point until);
  void done();

  LoggersOptions options_;
  bool takes_samples_;
  State state_ = State::before;
  std::filesystem::path folder_{};
  std::thread thread_{};
  std::atomic<std::int64_t> waited_{0};
  std::atomic<bool> has_failure_{false};
  std::mutex mutex_{};
  std::condition_variable news_{}, room_{};
  std::deque<Event> queue_{};
  std::deque<std::exception_ptr> failures_{};
  std::uint64_t asked_ = 0, done_ = 0;  ///< numbers of events
  bool urgent_ = false;                 ///< somebody waits for the background thread
};

#if HONE_BODIES

HONE_INLINE EventQueue::EventQueue(LoggersOptions options, bool takes_samples)
    : options_(options), takes_samples_(takes_samples) {}

HONE_INLINE EventQueue::~EventQueue() = default;

HONE_INLINE void EventQueue::require(State needed, char const* happened) const {
  if (state_ != needed)
    throw Error(740, "a call to loggers at the wrong time", {.value = happened},
                "add loggers, then start, log, and finish once");
}

HONE_INLINE void EventQueue::start(RunStart event) {
  require(State::before, "the run is started twice");
  state_ = State::running;
  if (empty()) return queue_.clear();
  folder_ = event.folder;
  queue_.push_front(std::move(event));
  ++asked_;
  thread_ = std::thread([this] { work(); });
}

HONE_INLINE void EventQueue::put(Event event) {
  if (state_ == State::after) require(State::running, "an event after the end of the run");
  if (empty()) return;
  push(std::move(event));
  rethrow();
}

HONE_INLINE void EventQueue::flush() {
  if (state_ != State::running || empty()) return;
  push(Flush{}, true);
  std::unique_lock lock(mutex_);
  room_.wait(lock, [this] { return done_ == asked_; });
  lock.unlock();
  rethrow();
}

HONE_INLINE void EventQueue::finish(RunEnd event) {
  require(State::running, "the run is finished before it was started, or twice");
  state_ = State::after;
  if (thread_.joinable()) {
    push(std::move(event), true);
    thread_.join();
  }
  rethrow();
}

HONE_INLINE void EventQueue::end() noexcept {
  try {
    if (thread_.joinable()) finish({1, false, "the run ended before it was finished", {}, {}});
  } catch (...) {  // nobody is left who could be told
  }
}

HONE_INLINE void EventQueue::failed() {
  std::lock_guard const lock(mutex_);
  failures_.push_back(std::current_exception());
  has_failure_.store(true, std::memory_order_release);
}

/// The background thread looks for events ten times a second by itself: to wake it at each would cost the thread that
/// trains more than all the rest, where processors are few. `is_urgent`: it is waited for.
HONE_INLINE void EventQueue::push(Event event, bool is_urgent) {
  std::unique_lock lock(mutex_);
  auto const has_room = [this] { return queue_.size() < std::max<std::size_t>(options_.capacity, 1); };
  if (thread_.joinable() && !has_room()) {
    auto const begin = Clock::now();
    urgent_ = true;
    news_.notify_one();
    room_.wait(lock, has_room);
    waited_ += std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - begin).count();
  }
  queue_.push_back(std::move(event));
  ++asked_;
  if (urgent_ || !is_urgent) return;
  urgent_ = true;
  lock.unlock();
  news_.notify_one();
}

HONE_INLINE void EventQueue::rethrow() {
  if (!has_failure_.load(std::memory_order_acquire)) return;
  std::exception_ptr failure;
  {
    std::lock_guard const lock(mutex_);
    failure = std::move(failures_.front());
    failures_.pop_front();
    has_failure_ = !failures_.empty();
  }
  std::rethrow_exception(failure);
}

HONE_INLINE void EventQueue::work() {
  SystemMonitor monitor(folder_);
  constexpr auto never = Clock::time_point::max();
  auto const pause = seconds(std::min(0.1, options_.flush_seconds / 10));
  bool const samples = options_.system_seconds > 0 && takes_samples_;
  auto next_flush = never;
  auto next_sample = samples ? Clock::now() + seconds(std::min(1.0, options_.system_seconds)) : never;  // an early one
  for (;;) {
    std::optional<Event> event = next_event(std::min({Clock::now() + pause, next_flush, next_sample}));
    bool const is_last = event && std::holds_alternative<RunEnd>(*event);
    if (samples && (is_last || Clock::now() >= next_sample)) {
      deliver(monitor.sample());
      next_sample = Clock::now() + seconds(options_.system_seconds);
    }
    if (is_last || Clock::now() >= next_flush) {
      deliver(Flush{});
      next_flush = never;
    }
    if (!event) continue;
    deliver(*event);
    done();
    if (is_last) return;
    if (next_flush == never) next_flush = Clock::now() + seconds(options_.flush_seconds) - pause;
  }
}

HONE_INLINE EventQueue::Clock::duration EventQueue::seconds(double count) {
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(count));
}

/// The next event, or nothing when there is none until then.
HONE_INLINE std::optional<EventQueue::Event> EventQueue::next_event(Clock::time_point until) {
  std::unique_lock lock(mutex_);
  if (queue_.empty()) {
    urgent_ = false;
    news_.wait_until(lock, until, [this] { return urgent_; });
  }
  if (queue_.empty()) return std::nullopt;
  std::optional<Event> event(std::move(queue_.front()));
  queue_.pop_front();
  lock.unlock();
  room_.notify_all();
  return event;
}

HONE_INLINE void EventQueue::done() {
  std::lock_guard const lock(mutex_);
  if (++done_ == asked_) room_.notify_all();
}

#endif

}  // namespace detail

/// Loggers of the types L, each of which may be there or not: `emplace` adds one.
///
///   Loggers<JsonLinesLogger, TensorBoardLogger> loggers;
///   loggers.emplace<JsonLinesLogger>();
///   loggers.start({.name = "first", .folder = "runs/first", .heads = {"is_positive"}});
///   trainer.fit(reviews, [&](StepReport const& step) { loggers.step(step); });
///   loggers.finish({});
///
/// Events are copied into a queue, and one thread calls the loggers in the order of the events. No event is dropped: where
/// the queue is full the caller waits (`waited_seconds`). Events from before `start` reach the loggers after it.
/// What a logger throws is thrown to the caller by its next call, the latest by `finish`; that logger is not called again,
/// the others go on. The destructor delivers what was logged, ends the run as failed where `finish` was not called,
/// and throws nothing. Calls are for one thread at a time.
///
/// Errors: E740 a call that comes too late, and what the loggers throw. At compile time: E160 an element is not a logger,
/// E161 one of its members does not take its event, E162 two loggers of one type, E163 a type that is not in the list.
template <class... L>
class Loggers : private detail::CheckLoggers<std::index_sequence_for<L...>, L...>, private detail::EventQueue {
  static_assert(((detail::count_of<L, L...> == 1) && ...),
                "[hone-E162] Loggers: two loggers have one type. See docs/errors.md#e162.");

 public:
  explicit Loggers(LoggersOptions options = {}) : EventQueue(options, (detail::TakesSystem<L> || ...)) {}
  ~Loggers() { end(); }

  /// Adds a logger, made from these arguments, in place of one of its type. Before `start`.
  template <class One, class... Arguments>
  One& emplace(Arguments&&... arguments) {
    require(State::before, "a logger is added after the start");
    auto& slot = slot_of<One>();
    if constexpr (std::is_constructible_v<One, Arguments...>)
      slot.logger = std::make_unique<One>(std::forward<Arguments>(arguments)...);
    else
      slot.logger.reset(new One{std::forward<Arguments>(arguments)...});  // an aggregate
    return *slot.logger;
  }
  /// The logger of a type, or null. Between `start` and `finish` it belongs to the background thread.
  template <class One>
  One* get() {
    return slot_of<One>().logger.get();
  }
  /// Whether there is no logger. Then all calls do nothing.
  bool empty() const override {
    return std::apply([](auto const&... slot) { return (!slot.logger && ...); }, slots_);
  }

  void start(RunStart event) { EventQueue::start(std::move(event)); }
  void step(StepReport const& event) { put(event); }
  void table(TextTable event) { put(std::move(event)); }
  void evaluation(EvaluationRecord event) { put(std::move(event)); }
  void findings(std::vector<Finding> event) { put(std::move(event)); }
  /// A line that was printed. After `finish` it is ignored.
  void message(std::string_view line) {
    if (state() != State::after) put(std::string(line));
  }
  /// Returns when all that was logged is with the system.
  void flush() { EventQueue::flush(); }
  /// Returns when all that was logged is with the system and every logger has finished. What a logger threw is thrown now.
  void finish(RunEnd event) { EventQueue::finish(std::move(event)); }

  /// How long callers have waited for room in the queue, in seconds.
  double waited_seconds() const { return EventQueue::waited_seconds(); }

 private:
  template <class One>
  struct Slot {
    std::unique_ptr<One> logger{};
    bool failed = false;
  };

  template <class One>
  Slot<One>& slot_of() {
    static_assert(detail::count_of<One, L...> == 1,
                  "[hone-E163] Loggers: there is no logger of that type in the list. See docs/errors.md#e163.");
    return std::get<Slot<One>>(slots_);
  }

  void deliver(Event const& event) override {
    std::apply([&](auto&... slot) { (tell(slot, event), ...); }, slots_);
  }
  template <class One>
  void tell(Slot<One>& slot, Event const& event) {
    if (!slot.logger || slot.failed) return;
    try {
      std::visit(
          [&slot](auto const& some) {
            if constexpr (std::is_same_v<decltype(some), Flush const&>)
              detail::tell_flush(*slot.logger);
            else
              detail::tell(*slot.logger, some);
          },
          event);
    } catch (...) {
      slot.failed = true;
      failed();
    }
  }

  std::tuple<Slot<L>...> slots_{};
};

}  // namespace hone

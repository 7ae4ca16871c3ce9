// What a person sees while a model trains: one line that updates, or plain lines where the output is not a terminal.
#pragma once

#include <chrono>
#include <cmath>
#include <cstdio>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/report/progress.hpp"
#include "hone/report/terminal.hpp"
#include "hone/train/step_report.hpp"

namespace hone {

/// printf into a string.
template <class... Values>
std::string formatted(char const* format, Values... values) {
  int const length = std::snprintf(nullptr, 0, format, values...);
  std::string text(length > 0 ? static_cast<std::size_t>(length) : 0, '\0');
  if (length > 0) std::snprintf(text.data(), text.size() + 1, format, values...);
  return text;
}

/// "45 s", "12:31", "3:05:00": a time span for people. "?" when it is not known.
std::string shown_duration(double seconds);

/// The state of a run after some step, as the console shows it: measures are means over the last steps, since those of one
/// step of 16 examples jump.
class RunningMeans {
 public:
  explicit RunningMeans(std::size_t window = 20) : window_(window) {}

  void add(StepReport const& step);
  bool empty() const { return steps_.empty(); }
  StepReport const& last() const { return steps_.back(); }
  /// Mean of a number of each step, weighted by its examples.
  template <class Number>
  double mean(Number const& number) const {
    double sum = 0, examples = 0;
    for (auto const& step : steps_) {
      sum += number(step) * static_cast<double>(step.examples);
      examples += static_cast<double>(step.examples);
    }
    return examples > 0 ? sum / examples : std::nan("");
  }
  double tokens_per_second() const;
  /// Seconds until the last step, from the speed of the last ones.
  double seconds_left() const;

 private:
  std::size_t window_;
  std::deque<StepReport> steps_;
};

/// One line about a run, of at most `columns` columns: what does not fit is left out, the less important first.
///
/// @param bar      with a bar, which takes the columns that the numbers leave
/// @param unicode  the bar is drawn with Unicode's blocks
std::string step_line(RunningMeans const& means, int columns, bool bar = false, bool unicode = false);

/// One line about other work, of at most `columns` columns: "testing 512/1000  left 3 s", or "reading 512" when the total
/// is not known (0). `seconds` since it began.
std::string work_line(std::string_view what, Index done, Index total, double seconds, int columns, bool bar = false,
                      bool unicode = false);

/// Writes progress and messages to a stream (standard output).
///
/// On a terminal one line with a bar is overwritten, at most ten times a second; messages push it down. The width is asked
/// for again each time. Elsewhere a plain line is written for the first and the last step and at most every ten seconds of
/// training: logs stay short. Nothing is written when the stream is null.
class Console {
 public:
  /// What was written, line by line, without bars and colours.
  using Listener = std::function<void(std::string_view line)>;

  explicit Console(std::FILE* stream = stdout);
  Console(std::FILE* stream, Terminal terminal);
  Console(Console const&) = delete;
  Console& operator=(Console const&) = delete;
  ~Console();

  /// The terminal with the width that it has now.
  Terminal const& terminal() {
    if (asks_) terminal_.width = Terminal::of(stream_).width;
    return terminal_;
  }
  /// From now on `listener` is told every line; first those that were printed before. An empty one ends it.
  void listen(Listener listener);

  /// Lines of text. What comes from outside must have gone through `printable_text`.
  void print(std::string_view text);
  /// A heading above what follows.
  void title(std::string_view text);

  /// A step was done.
  void step(StepReport const& report);
  /// Something else goes on: "testing 512/1000". `seconds` since it began.
  void progress(std::string_view what, Index done, Index total, double seconds);
  /// The same on a terminal alone, and nothing of it stays: for what is done in seconds. Total 0: not known.
  void passing(std::string_view what, Index done, Index total, double seconds);
  /// What is on the updating line goes away.
  void clear_line();
  /// What is on the updating line stays; later text goes below.
  void end_line();

 private:
  /// The last column stays free: some terminals wrap when it is written.
  int columns() { return terminal_.interactive ? terminal().width - 1 : 1000; }
  bool due(bool always, double seconds);
  void tell(std::string_view text);
  void put(std::string_view text);
  void show(std::string line);
  void erase_line();
  void write(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stream_); }

  std::FILE* stream_;
  Terminal terminal_;
  bool asks_ = false;  ///< the width is asked for again
  RunningMeans means_{};
  std::string line_{};               ///< on the terminal now
  std::vector<std::string> said_{};  ///< before anybody listened
  Listener listener_{};
  double last_shown_ = -1e9, last_told_ = -1e9;
  std::string work_{};  ///< what `progress` told last, and how much of it was done
  Index work_done_ = 0;
};

/// The progress of one piece of work, on a terminal while it goes on. Call it with what is done, as often as you like.
class PassingProgress {
 public:
  PassingProgress(Console& console, std::string what) : console_(console), what_(std::move(what)) {}
  PassingProgress(PassingProgress const&) = delete;
  PassingProgress& operator=(PassingProgress const&) = delete;
  ~PassingProgress() { console_.clear_line(); }

  /// Total 0: not known.
  void operator()(Index done, Index total = 0) {
    double const seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
    if (seconds >= 0.3) console_.passing(what_, done, total, seconds);  // less would only flicker
  }

 private:
  Console& console_;
  std::string what_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

#if HONE_BODIES

HONE_INLINE void RunningMeans::add(StepReport const& step) {
  steps_.push_back(step);
  if (steps_.size() > window_) steps_.pop_front();
}

HONE_INLINE double RunningMeans::tokens_per_second() const {
  double tokens = 0, seconds = 0;
  for (auto const& step : steps_) tokens += static_cast<double>(step.tokens), seconds += step.seconds;
  return seconds > 0 ? tokens / seconds : std::nan("");
}

HONE_INLINE double RunningMeans::seconds_left() const {
  double seconds = 0;
  for (auto const& step : steps_) seconds += step.seconds;
  return seconds / static_cast<double>(steps_.size()) * static_cast<double>(last().total_steps - last().step);
}

HONE_INLINE Console::Console(std::FILE* stream) : Console(stream, stream ? Terminal::of(stream) : Terminal{}) {
  asks_ = stream_ && terminal_.interactive;
}

HONE_INLINE Console::Console(std::FILE* stream, Terminal terminal) : stream_(stream), terminal_(terminal) {}

HONE_INLINE Console::~Console() { end_line(); }

HONE_INLINE void Console::listen(Listener listener) {
  listener_ = std::move(listener);
  if (!listener_) return;
  for (auto const& line : std::exchange(said_, {})) listener_(line);
}

HONE_INLINE void Console::print(std::string_view text) {
  tell(text);
  put(text);
}

HONE_INLINE void Console::title(std::string_view text) {
  std::string const line = "\n" + std::string(text);
  tell(line);
  put(terminal_.colors ? "\n\x1b[1m" + std::string(text) + "\x1b[0m" : line);
}

HONE_INLINE void Console::passing(std::string_view what, Index done, Index total, double seconds) {
  if (!terminal_.interactive || !due(false, seconds)) return;
  show(work_line(what, done, total, seconds, columns(), true, terminal_.unicode));
}

HONE_INLINE void Console::step(StepReport const& report) {
  means_.add(report);
  bool const ends = report.step == 1 || report.step == report.total_steps;
  if (listener_ && (ends || report.elapsed < last_told_ || report.elapsed - last_told_ >= 10)) {
    last_told_ = report.elapsed;
    listener_(step_line(means_, 1000));
  }
  if (!due(ends, report.elapsed)) return;
  show(step_line(means_, columns(), terminal_.interactive, terminal_.unicode));
}

HONE_INLINE void Console::progress(std::string_view what, Index done, Index total, double seconds) {
  if (what != work_ || done < work_done_) last_shown_ = -1e9;  // something new begins, and is shown at once
  work_ = what;
  work_done_ = done;
  if (!due(done == total, seconds)) return;
  show(work_line(what, done, total, seconds, columns(), terminal_.interactive, terminal_.unicode));
}

HONE_INLINE void Console::clear_line() {
  if (!stream_ || line_.empty()) return;
  erase_line();
  line_.clear();
  last_shown_ = -1e9;
  std::fflush(stream_);
}

HONE_INLINE void Console::end_line() {
  if (!stream_ || line_.empty()) return;
  line_.clear();
  last_shown_ = -1e9;
  write("\n");
  std::fflush(stream_);
}

HONE_INLINE bool Console::due(bool always, double seconds) {
  double const pause = terminal_.interactive ? 0.1 : 10;
  if (!stream_ || (!always && seconds >= last_shown_ && seconds - last_shown_ < pause)) return false;
  last_shown_ = seconds;
  return true;
}

HONE_INLINE void Console::tell(std::string_view text) {
  if (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  for (;;) {
    std::size_t const end = text.find('\n');
    std::string_view const line = text.substr(0, end);
    if (listener_)
      listener_(line);
    else if (said_.size() < 10000)
      said_.emplace_back(line);
    if (end == text.npos) return;
    text.remove_prefix(end + 1);
  }
}

HONE_INLINE void Console::put(std::string_view text) {
  if (!stream_) return;
  erase_line();
  write(text);
  if (text.empty() || text.back() != '\n') write("\n");
  write(line_);
  std::fflush(stream_);
}

HONE_INLINE void Console::show(std::string line) {
  if (!terminal_.interactive) {
    write(line + "\n");
  } else {
    erase_line();
    line_ = std::move(line);
    write(line_);
  }
  std::fflush(stream_);
}

HONE_INLINE void Console::erase_line() {
  if (line_.empty()) return;
  // A terminal that became narrower has broken the line into several.
  int const rows = (display_width(line_) - 1) / std::max(terminal().width, 1);
  write(rows > 0 ? formatted("\r\x1b[%dA\x1b[J", rows) : "\r\x1b[K");
}

HONE_INLINE std::string shown_duration(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0 || seconds > 1e9) return "?";
  long const whole = std::lround(seconds);
  if (whole < 60) return formatted("%ld s", whole);
  if (whole < 3600) return formatted("%ld:%02ld", whole / 60, whole % 60);
  return formatted("%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
}

HONE_INLINE std::string step_line(RunningMeans const& means, int columns, bool bar, bool unicode) {
  StepReport const& last = means.last();
  std::vector<LinePart> parts{
      {formatted("step %lld/%lld", static_cast<long long>(last.step), static_cast<long long>(last.total_steps)), 9}};
  if (bar) parts.push_back({"", 5, true});
  for (std::size_t h = 0; h < last.losses.size(); ++h) {
    double const loss = means.mean([h](StepReport const& step) { return step.losses[h].second; });
    parts.push_back({last.losses[h].first + formatted(" %.4g", loss), h == 0 ? 8 : 4});
  }
  double const accuracy = means.mean([](StepReport const& step) { return step.accuracy; });
  if (!std::isnan(accuracy)) parts.push_back({formatted("accuracy %.1f %%", 100 * accuracy), 6});
  parts.push_back({formatted("lr %.3g", last.learning_rate), 1});
  parts.push_back({formatted("norm %.3g", last.grad_norm), 2});
  parts.push_back({formatted("%.0f tokens/s", means.tokens_per_second()), 3});
  parts.push_back({"left " + shown_duration(means.seconds_left()), 7});
  double const total = static_cast<double>(last.total_steps);
  return fitted_line(parts, columns, total > 0 ? static_cast<double>(last.step) / total : 0, unicode);
}

HONE_INLINE std::string work_line(std::string_view what, Index done, Index total, double seconds, int columns, bool bar,
                                  bool unicode) {
  std::string begin = std::string(what) + formatted(" %lld", static_cast<long long>(done));
  if (total <= 0) return cut_to_width(begin, columns);
  begin += formatted("/%lld", static_cast<long long>(total));
  double const share = static_cast<double>(done) / static_cast<double>(total);
  double const left = done > 0 ? seconds * (1 - share) / share : std::nan("");
  std::vector<LinePart> parts{{begin, 4}};
  if (bar) {
    parts.push_back({"", 2, true});
    parts.push_back({formatted("%3.0f %%", std::floor(100 * share)), 1});
  }
  parts.push_back({done < total ? "left " + shown_duration(left) : "in " + shown_duration(seconds), 3});
  return fitted_line(parts, columns, share, unicode);
}

#endif

}  // namespace hone

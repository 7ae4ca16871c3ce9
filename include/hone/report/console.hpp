// What a person sees while a model trains: one line that updates, or plain lines where the output is not a terminal.
#pragma once

#include <cmath>
#include <cstdio>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

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
inline std::string shown_duration(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0 || seconds > 1e9) return "?";
  long const whole = std::lround(seconds);
  if (whole < 60) return formatted("%ld s", whole);
  if (whole < 3600) return formatted("%ld:%02ld", whole / 60, whole % 60);
  return formatted("%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
}

/// The state of a run after some step, as the console shows it: measures are means over the last steps, since those of one
/// step of 16 examples jump.
class RunningMeans {
 public:
  explicit RunningMeans(std::size_t window = 20) : window_(window) {}

  void add(StepReport const& step) {
    steps_.push_back(step);
    if (steps_.size() > window_) steps_.pop_front();
  }
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
  double tokens_per_second() const {
    double tokens = 0, seconds = 0;
    for (auto const& step : steps_) tokens += static_cast<double>(step.tokens), seconds += step.seconds;
    return seconds > 0 ? tokens / seconds : std::nan("");
  }
  /// Seconds until the last step, from the speed of the last ones.
  double seconds_left() const {
    double seconds = 0;
    for (auto const& step : steps_) seconds += step.seconds;
    return seconds / static_cast<double>(steps_.size()) * static_cast<double>(last().total_steps - last().step);
  }

 private:
  std::size_t window_;
  std::deque<StepReport> steps_;
};

/// One line about a run, of at most `columns` columns: what does not fit is left out, the less important first.
inline std::string step_line(RunningMeans const& means, int columns) {
  StepReport const& last = means.last();
  struct Part {
    std::string text;
    int importance;  // the larger the later it is left out
  };
  std::vector<Part> parts{
      {formatted("step %lld/%lld", static_cast<long long>(last.step), static_cast<long long>(last.total_steps)), 9}};
  for (std::size_t h = 0; h < last.losses.size(); ++h) {
    double const loss = means.mean([h](StepReport const& step) { return step.losses[h].second; });
    parts.push_back({last.losses[h].first + formatted(" %.4g", loss), h == 0 ? 8 : 6});
  }
  double const accuracy = means.mean([](StepReport const& step) { return step.accuracy; });
  if (!std::isnan(accuracy)) parts.push_back({formatted("accuracy %.1f %%", 100 * accuracy), 5});
  parts.push_back({formatted("lr %.3g", last.learning_rate), 1});
  parts.push_back({formatted("norm %.3g", last.grad_norm), 2});
  parts.push_back({formatted("%.0f tokens/s", means.tokens_per_second()), 3});
  parts.push_back({"left " + shown_duration(means.seconds_left()), 7});
  std::string line;
  for (int least = 0; least <= 9; ++least) {
    line.clear();
    for (auto const& part : parts)
      if (part.importance >= least) line += (line.empty() ? "" : "  ") + part.text;
    if (display_width(line) <= columns) return line;
  }
  return cut_to_width(line, columns);
}

/// Writes progress and messages to a stream (standard output).
///
/// On a terminal one line is overwritten, at most ten times a second; messages push it down. Elsewhere a plain line is
/// written for the first and the last step and at most every ten seconds of training: logs stay short.
/// Nothing is written when the stream is null.
class Console {
 public:
  explicit Console(std::FILE* stream = stdout) : Console(stream, stream ? Terminal::of(stream) : Terminal{}) {}
  Console(std::FILE* stream, Terminal terminal) : stream_(stream), terminal_(terminal) {}
  Console(Console const&) = delete;
  Console& operator=(Console const&) = delete;
  ~Console() { end_line(); }

  Terminal const& terminal() const { return terminal_; }

  /// Lines of text. What comes from outside must have gone through `printable_text`.
  void print(std::string_view text) {
    if (!stream_) return;
    erase_line();
    write(text);
    if (text.empty() || text.back() != '\n') write("\n");
    draw_line();
    std::fflush(stream_);
  }
  /// A heading above what follows.
  void title(std::string_view text) {
    print("\n" + (terminal_.colors ? "\x1b[1m" + std::string(text) + "\x1b[0m" : std::string(text)));
  }

  /// A step was done.
  void step(StepReport const& report) {
    means_.add(report);
    bool const ends = report.step == 1 || report.step == report.total_steps;
    if (!due(ends, report.elapsed)) return;
    // The last column stays free: some terminals wrap when it is written.
    show(step_line(means_, terminal_.interactive ? terminal_.width - 1 : 1000));
  }
  /// Something else goes on: "testing 512/1000". `seconds` since it began.
  void progress(std::string_view what, Index done, Index total, double seconds) {
    if (done == 0) last_shown_ = -1e9;
    if (!due(done == total, seconds)) return;
    double const left = done > 0 ? seconds * static_cast<double>(total - done) / static_cast<double>(done) : std::nan("");
    std::string const line = std::string(what) +
                             formatted(" %lld/%lld", static_cast<long long>(done), static_cast<long long>(total)) +
                             (done < total ? "  left " + shown_duration(left) : "  in " + shown_duration(seconds));
    show(cut_to_width(line, terminal_.interactive ? terminal_.width - 1 : 1000));
  }
  /// What is on the updating line stays; later text goes below.
  void end_line() {
    if (!stream_ || line_.empty()) return;
    line_.clear();
    last_shown_ = -1e9;
    write("\n");
    std::fflush(stream_);
  }

 private:
  bool due(bool always, double seconds) {
    double const pause = terminal_.interactive ? 0.1 : 10;
    if (!stream_ || (!always && seconds >= last_shown_ && seconds - last_shown_ < pause)) return false;
    last_shown_ = seconds;
    return true;
  }
  void show(std::string line) {
    if (!terminal_.interactive) {
      write(line + "\n");
    } else {
      erase_line();
      line_ = std::move(line);
      draw_line();
    }
    std::fflush(stream_);
  }
  void erase_line() {
    if (!line_.empty()) write("\r\x1b[K");
  }
  void draw_line() { write(line_); }
  void write(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stream_); }

  std::FILE* stream_;
  Terminal terminal_;
  RunningMeans means_{};
  std::string line_{};  ///< on the terminal now
  double last_shown_ = -1e9;
};

}  // namespace hone

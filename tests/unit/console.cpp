#include "hone/report/console.hpp"

#include <cstdlib>
#include <string>
#include <utility>

#include "support/catch.hpp"
#include "support/written.hpp"

using namespace hone;
using test::Written;

namespace {

std::size_t lines(std::string const& text) {
  std::size_t count = 0;
  for (char const c : text) count += c == '\n' ? 1 : 0;
  return count;
}

/// What the screen shows after all of it: \r goes to the start of the line, ESC [ K clears to its end.
std::string screen(std::string const& written) {
  std::string above, line;
  std::size_t column = 0;
  for (std::size_t i = 0; i < written.size(); ++i) {
    if (written[i] == '\r') {
      column = 0;
    } else if (written.compare(i, 3, "\x1b[K") == 0) {
      line.resize(column);
      i += 2;
    } else if (written[i] == '\n') {
      above += line + "\n";
      line.clear();
      column = 0;
    } else {
      line.resize(std::max(line.size(), column + 1), ' ');
      line[column++] = written[i];
    }
  }
  return above + line;
}

class Variable {
 public:
  Variable(char const* name, char const* value) : name_(name) {
    if (char const* before = std::getenv(name)) before_ = before, was_set_ = true;
    value ? setenv(name, value, 1) : unsetenv(name);
  }
  Variable(Variable const&) = delete;
  Variable& operator=(Variable const&) = delete;
  ~Variable() { was_set_ ? setenv(name_, before_.c_str(), 1) : unsetenv(name_); }

 private:
  char const* name_;
  std::string before_{};
  bool was_set_ = false;
};

}  // namespace

TEST_CASE("the line of a step has everything when there is room") {
  RunningMeans means;
  means.add(test::step_report(10, 20));
  CHECK(step_line(means, 200) ==
        "step 10/100  is_positive 0.5  star_rating 2  accuracy 75.0 %  lr 1e-05  norm 3.25  2000 tokens/s  left 3:00");
}

TEST_CASE("a narrow line leaves out what matters least, and never is too wide") {
  RunningMeans means;
  means.add(test::step_report(10, 20));
  std::string before = step_line(means, 300);
  for (int width = 120; width >= 0; --width) {
    std::string const line = step_line(means, width);
    INFO("width " << width << ": " << line);
    REQUIRE(display_width(line) <= width);
    REQUIRE(line.size() <= before.size());
    if (width >= 12) REQUIRE(line.rfind("step 10/100", 0) == 0);
    if (width >= 50) REQUIRE(line.find("left 3:00") != std::string::npos);
    before = line;
  }
  CHECK(step_line(means, 4) == "step");
}

TEST_CASE("measures are means over the last steps, weighted by their examples") {
  RunningMeans means(2);
  auto small = test::step_report(3, 6, 4.0);
  small.examples = 4;
  means.add(test::step_report(1, 2, 100.0));
  means.add(test::step_report(2, 4, 1.0));
  means.add(small);
  CHECK(means.mean([](StepReport const& step) { return step.losses[0].second; }) == Approx((16 * 1.0 + 4 * 4.0) / 20));
  CHECK(means.seconds_left() == Approx(97 * 2.0));
}

TEST_CASE("a run without a classifying head shows no accuracy") {
  RunningMeans means;
  auto step = test::step_report(1, 2);
  step.accuracy = std::nan("");
  means.add(step);
  CHECK(step_line(means, 200).find("accuracy") == std::string::npos);
}

TEST_CASE("not a terminal: plain lines, the first, the last, and one in ten seconds") {
  Written written;
  {
    Console console(written.stream(), Terminal{});
    for (Index step = 1; step <= 100; ++step) console.step(test::step_report(step, double(step) * 0.5));
  }
  std::string const text = written.text();
  INFO(text);
  CHECK(text.find('\x1b') == std::string::npos);
  CHECK(text.find('\r') == std::string::npos);
  CHECK(lines(text) == 6);  // at 0.5, 10.5, 20.5, 30.5, 40.5 and, the last step, 50 seconds
  CHECK(text.find("step 1/100") == 0);
  CHECK(text.find("\nstep 100/100") != std::string::npos);
}

TEST_CASE("a terminal: one line that is overwritten, messages above it") {
  Written written;
  {
    Console console(written.stream(), Terminal{true, false, 60});
    console.step(test::step_report(1, 2));
    console.step(test::step_report(2, 4));
    console.print("a message");
    console.step(test::step_report(3, 6));
    console.end_line();
    console.print("the end");
  }
  std::string const shown = screen(written.text());
  INFO(shown);
  CHECK(lines(shown) == 3);
  CHECK(shown.rfind("a message\nstep 3/100", 0) == 0);
  CHECK(shown.find("step 2/100") == std::string::npos);
  CHECK(shown.substr(shown.size() - 9) == "\nthe end\n");
}

TEST_CASE("a terminal is written at most ten times a second") {
  Written written;
  {
    Console console(written.stream(), Terminal{true, false, 200});
    for (Index step = 1; step < 100; ++step) console.step(test::step_report(step, double(step) * 0.01));
  }
  std::string const text = written.text();
  std::size_t shown = 0;
  for (std::size_t at = text.find("step "); at != text.npos; at = text.find("step ", at + 1)) ++shown;
  CHECK(shown >= 5);
  CHECK(shown <= 11);
}

TEST_CASE("progress of something else") {
  Written written;
  {
    Console console(written.stream(), Terminal{});
    console.progress("testing", 100, 1000, 4);
    console.progress("testing", 200, 1000, 8);
    console.progress("testing", 1000, 1000, 9);
  }
  CHECK(written.text() == "testing 100/1000  left 36 s\ntesting 1000/1000  in 9 s\n");
}

TEST_CASE("a console without a stream writes nothing") {
  Console console(nullptr);
  console.step(test::step_report(1, 2));
  console.print("nobody hears this");
  console.end_line();
  SUCCEED();
}

TEST_CASE("what the environment says of the terminal") {
  Written written;
  {
    Variable const columns("COLUMNS", "123");
    CHECK(Terminal::of(written.stream()).width == 123);
  }
  for (char const* wrong : {"0", "-5", "wide", "99999999999999999999"}) {
    Variable const columns("COLUMNS", wrong);
    CHECK(Terminal::of(written.stream()).width == 80);
  }
  CHECK_FALSE(Terminal::of(written.stream()).interactive);
  CHECK_FALSE(Terminal::of(written.stream()).colors);
}

TEST_CASE("headings are bold where there are colours, else plain") {
  for (bool const colors : {false, true}) {
    Written written;
    {
      Console console(written.stream(), Terminal{true, colors, 80});
      console.title("Test");
    }
    CHECK((written.text().find("\x1b[1m") != std::string::npos) == colors);
  }
}

TEST_CASE("time spans") {
  CHECK(shown_duration(0.2) == "0 s");
  CHECK(shown_duration(59.4) == "59 s");
  CHECK(shown_duration(59.6) == "1:00");
  CHECK(shown_duration(3599.7) == "1:00:00");
  CHECK(shown_duration(36000 + 61) == "10:01:01");
  CHECK(shown_duration(std::nan("")) == "?");
  CHECK(shown_duration(1e300) == "?");
}

// Bars and the lines they are in: exact widths, whatever the terminal is.
#include "hone/report/progress.hpp"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "hone/report/console.hpp"
#include "support/catch.hpp"
#include "support/written.hpp"

using namespace hone;
using test::Written;

namespace {

bool is_ascii(std::string const& text) {
  for (char const c : text)
    if (static_cast<unsigned char>(c) >= 0x80) return false;
  return true;
}

}  // namespace

TEST_CASE("a bar is as wide as it should be, and fills with the share") {
  CHECK(progress_bar(0, 12, false) == "[----------]");
  CHECK(progress_bar(0.5, 12, false) == "[#####-----]");
  CHECK(progress_bar(0.99, 12, false) == "[#########-]");  // full means done
  CHECK(progress_bar(1, 12, false) == "[##########]");
  CHECK(progress_bar(0.55, 12, true) == "▕█████▌    ▏");
  CHECK(progress_bar(1, 12, true) == "▕██████████▏");
  for (int columns = 5; columns < 60; ++columns)
    for (int eighth = 0; eighth <= 80; ++eighth) {
      REQUIRE(display_width(progress_bar(eighth / 80.0, columns, true)) == columns);
      REQUIRE(display_width(progress_bar(eighth / 80.0, columns, false)) == columns);
    }
}

TEST_CASE("a bar of something that is no share") {
  CHECK(progress_bar(-1, 7, false) == "[-----]");
  CHECK(progress_bar(7, 7, false) == "[#####]");
  CHECK(progress_bar(std::nan(""), 7, false) == "[-----]");
  CHECK(progress_bar(std::numeric_limits<double>::infinity(), 7, true) == "▕█████▏");
  CHECK(progress_bar(0.5, 4, true).empty());
  CHECK(progress_bar(0.5, -3, true).empty());
}

TEST_CASE("the line of a step has a bar between its numbers, at every width") {
  RunningMeans means;
  means.add(test::step_report(50, 100));
  std::string const wide = step_line(means, 1000, true, true);
  CHECK(wide.rfind("step 50/100  ▕████████████████████                    ▏  is_positive 0.5", 0) == 0);
  CHECK(wide.find("left 1:40") != wide.npos);
  for (int width = 0; width < 200; ++width)
    for (bool const unicode : {false, true}) {
      std::string const line = step_line(means, width, true, unicode);
      INFO(width << ": " << line);
      REQUIRE(display_width(line) <= width);
      if (!unicode) REQUIRE(is_ascii(line));
      if (width >= 30) REQUIRE(line.find("step 50/100") == 0);
      if (width >= 75) REQUIRE(line.find(unicode ? "█" : "#") != line.npos);
    }
}

TEST_CASE("twenty columns have the step and the loss or the time, no half numbers") {
  RunningMeans means;
  means.add(test::step_report(50, 100));
  CHECK(step_line(means, 19, true, true) == "step 50/100");
  CHECK(work_line("testing", 256, 1000, 2, 19, true, true) == "testing 256/1000");
}

TEST_CASE("other work, with and without a known end") {
  CHECK(work_line("testing", 500, 1000, 4, 60, true, false) ==
        "testing 500/1000  [###########------------]   50 %  left 4 s");
  CHECK(work_line("testing", 1000, 1000, 9, 60, false) == "testing 1000/1000  in 9 s");
  CHECK(work_line("reading reviews:", 12345, 0, 4, 60, true) == "reading reviews: 12345");
}

TEST_CASE("other work that begins is shown at once, also soon after a step") {
  Written written;
  {
    Console console(written.stream(), Terminal{});
    console.step(test::step_report(1, 0.005));
    console.progress("testing", 1, 10, 0.01);
    console.progress("testing", 2, 10, 0.02);
    console.progress("testing", 10, 10, 0.1);
    console.progress("testing", 1, 10, 0.2);  // again
  }
  std::string const text = written.text();
  CHECK(text.find("testing 1/10  left 0 s\ntesting 10/10  in 0 s\ntesting 1/10  left 2 s\n") != text.npos);
}

TEST_CASE("short work is shown on a terminal alone, when it takes its time, and goes away") {
  Written terminal, pipe;
  {
    Console on_terminal(terminal.stream(), Terminal{true, false, 60, true});
    Console in_pipe(pipe.stream(), Terminal{});
    for (Console* console : {&on_terminal, &in_pipe}) {
      console->passing("tokenising", 512, 1024, 0.5);
      console->clear_line();
      console->print("done");
    }
  }
  std::string const text = terminal.text();
  CHECK(text.find("tokenising 512/1024") != text.npos);
  CHECK(text.substr(text.size() - 9) == "\r\x1b[Kdone\n");
  CHECK(pipe.text() == "done\n");
}

TEST_CASE("a listener hears every line, also those from before it listened, without colours and bars") {
  std::vector<std::string> heard;
  Written written;
  {
    Console console(written.stream(), Terminal{true, true, 80, true});
    console.print("first\nsecond");
    console.listen([&](std::string_view line) { heard.emplace_back(line); });
    console.title("Title");
    console.step(test::step_report(1, 2));
    console.step(test::step_report(2, 4));   // too soon after the first
    console.step(test::step_report(7, 14));
    console.progress("testing", 1, 10, 1);
    console.listen({});
    console.print("nobody listens");
  }
  REQUIRE(heard.size() == 6);
  CHECK(heard[0] == "first");
  CHECK(heard[1] == "second");
  CHECK(heard[2].empty());
  CHECK(heard[3] == "Title");
  CHECK(heard[4].rfind("step 1/100  is_positive 0.5  star_rating 2", 0) == 0);
  CHECK(heard[5].rfind("step 7/100", 0) == 0);
  CHECK(is_ascii(heard[5]));
}

TEST_CASE("the locale says whether bars may have Unicode's blocks") {
  Written written;
  auto const unicode = [&](char const* all, char const* type, char const* lang) {
    setenv("LC_ALL", all, 1);
    setenv("LC_CTYPE", type, 1);
    setenv("LANG", lang, 1);
    bool const says = Terminal::of(written.stream()).unicode;
    for (char const* name : {"LC_ALL", "LC_CTYPE", "LANG"}) unsetenv(name);
    return says;
  };
  CHECK(unicode("", "", "en_US.UTF-8"));
  CHECK(unicode("", "de_DE.utf8", "C"));
  CHECK_FALSE(unicode("C", "en_US.UTF-8", "en_US.UTF-8"));
  CHECK_FALSE(unicode("", "", "de_DE.ISO-8859-1"));
  CHECK_FALSE(unicode("", "", ""));
}

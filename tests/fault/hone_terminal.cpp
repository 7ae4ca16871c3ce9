// hone in a terminal: bars at any width, colours and Unicode only where they are wanted, the game of hone inspect.
#include <signal.h>

#include <filesystem>
#include <string>
#include <vector>

#include "hone/report/terminal.hpp"
#include "support/catch.hpp"
#include "support/program.hpp"
#include "support/pseudo_terminal.hpp"
#include "support/temporary_folder.hpp"

using hone::test::Program, hone::test::PseudoTerminal, hone::test::read_file;

namespace {

std::vector<std::string> finetune(std::string const& out, std::string const& epochs = "1") {
  return {"finetune", "--train-examples", "640", "--test-examples", "60",          "--epochs",
          epochs,     "--out",            out,   "--no-doctor",     "--no-report", "--overwrite"};
}

/// The run that the tests look at, made once.
std::string const& run_folder() {
  static hone::test::TemporaryFolder const folder;
  static std::string const run = [] {
    std::string const made = (folder / "run").string();
    REQUIRE(Program().run(HONE, finetune(made)).code == 0);
    return made;
  }();
  return run;
}

/// The lines that were drawn over each other: what came after each "\r ESC [ K".
std::vector<std::string> drawn_lines(std::string const& written) {
  std::vector<std::string> lines;
  std::string const erase = "\r\x1b[K";
  for (std::size_t at = written.find(erase); at != written.npos; at = written.find(erase, at + 1)) {
    std::size_t const begin = at + erase.size();
    lines.push_back(written.substr(begin, written.find_first_of("\r\n\x1b", begin) - begin));
  }
  return lines;
}

}  // namespace

TEST_CASE("a training's bar fits a terminal of any width") {
  hone::test::TemporaryFolder const folder;
  for (int const columns : {20, 80, 1000}) {
    PseudoTerminal terminal(HONE, finetune((folder / "out").string()), columns);
    REQUIRE(terminal.wait() == 0);
    auto const lines = drawn_lines(terminal.written());
    INFO(columns << " columns: " << terminal.written());
    bool step = false, bar = false;
    for (auto const& line : lines) {
      CHECK(hone::display_width(line) < columns);
      step = step || line.rfind("step ", 0) == 0;
      bar = bar || (line.rfind("step ", 0) == 0 && line.find("█") != line.npos);
    }
    CHECK(step);
    CHECK(bar == (columns >= 80));
  }
}

TEST_CASE("a terminal that becomes narrower gets narrower lines") {
  hone::test::TemporaryFolder const folder;
  PseudoTerminal terminal(HONE, finetune((folder / "out").string(), "20"), 120);
  REQUIRE(terminal.wait_for("█"));
  terminal.resize(40);
  std::size_t const before = terminal.written().size();
  for (int lines = 0; lines < 3; ++lines) REQUIRE(terminal.wait_for("step "));
  REQUIRE(terminal.wait() == 0);
  auto const lines = drawn_lines(terminal.written().substr(before));
  REQUIRE(lines.size() > 5);
  std::size_t wide = 0;
  for (auto const& line : lines) wide += hone::display_width(line) >= 40 ? 1 : 0;
  CHECK(wide <= 1);  // the one that was on its way
}

TEST_CASE("no colours with NO_COLOR, no blocks without UTF-8, nothing of either in a dumb terminal") {
  hone::test::TemporaryFolder const folder;
  std::string const out = (folder / "out").string();
  PseudoTerminal usual(HONE, finetune(out), 100);
  REQUIRE(usual.wait() == 0);
  CHECK(usual.written().find("\x1b[1m") != std::string::npos);
  PseudoTerminal plain(HONE, finetune(out), 100, {{"NO_COLOR", "1"}, {"LANG", "C"}});
  REQUIRE(plain.wait() == 0);
  CHECK(plain.written().find("\x1b[1m") == std::string::npos);
  CHECK(plain.written().find("█") == std::string::npos);
  CHECK(plain.written().find("[##") != std::string::npos);
  PseudoTerminal dumb(HONE, finetune(out), 100, {{"TERM", "dumb"}});
  REQUIRE(dumb.wait() == 0);
  CHECK(dumb.written().find('\x1b') == std::string::npos);
}

TEST_CASE("in a pipe there are no bars") {
  hone::test::TemporaryFolder const folder;
  auto const ended = Program().run(HONE, finetune((folder / "out").string()));
  REQUIRE(ended.code == 0);
  CHECK(ended.out.find_first_of("\r\x1b") == std::string::npos);
  CHECK(ended.out.find("█") == std::string::npos);
  CHECK(ended.out.find("[#") == std::string::npos);
}

TEST_CASE("inspect: the text first, the truth after the guess, the score; keys that mean nothing do nothing") {
  PseudoTerminal terminal(HONE, {"inspect", run_folder(), "--sort", "file"}, 80);
  REQUIRE(terminal.wait_for("positive or negative?"));
  CHECK(terminal.written().find("the truth") == terminal.written().find("the truth."));  // but in the first sentence
  CHECK(terminal.written().find("test/") == std::string::npos);                          // the source tells the stars
  CHECK_FALSE(terminal.is_cooked());
  terminal.press("x\x1b[A7p");  // no such key, an arrow, a number too early
  REQUIRE(terminal.wait_for("stars?"));
  terminal.press("z10");
  REQUIRE(terminal.wait_for("10\r\n"));
  REQUIRE(terminal.wait_for("the truth"));
  REQUIRE(terminal.wait_for("you: "));
  REQUIRE(terminal.wait_for("any key"));
  terminal.press(" ");
  REQUIRE(terminal.wait_for("positive or negative?"));
  terminal.press("n");
  REQUIRE(terminal.wait_for("stars?"));
  terminal.press("1");  // alone: one, after a moment
  REQUIRE(terminal.wait_for("1\r\n"));
  REQUIRE(terminal.wait_for("of 2 sentiments right"));
  REQUIRE(terminal.wait_for("any key"));
  terminal.press("q");
  CHECK(terminal.wait() == 0);
}

TEST_CASE("inspect ends in good order, and leaves the terminal as it was") {
  std::string keys;
  SECTION("q") { keys = "q"; }
  SECTION("Ctrl-D") { keys = "\x04"; }
  SECTION("Ctrl-C") { keys = "\x03"; }
  PseudoTerminal terminal(HONE, {"inspect", run_folder()}, 80);
  REQUIRE(terminal.wait_for("positive or negative?"));
  terminal.press(keys);
  CHECK(terminal.wait() == 0);
  CHECK(terminal.written().find("no text was guessed") != std::string::npos);
  CHECK(terminal.is_cooked());
}

TEST_CASE("inspect leaves the terminal as it was when it is terminated") {
  PseudoTerminal terminal(HONE, {"inspect", run_folder()}, 80);
  REQUIRE(terminal.wait_for("positive or negative?"));
  REQUIRE_FALSE(terminal.is_cooked());
  terminal.send(SIGTERM);
  CHECK(terminal.wait() == -SIGTERM);
  CHECK(terminal.is_cooked());
}

TEST_CASE("a text of a review cannot move the cursor in inspect") {
  hone::test::TemporaryFolder const folder;
  hone::test::write_file(folder / "predictions.jsonl",
                         "{\"source\":\"a\\u001b[2J\",\"is_positive\":1,\"is_positive_predicted\":1,\"is_positive_probability\":"
                         "0.9,\"star_rating\":9,\"star_rating_predicted\":8.1,\"text\":\"An \\u001b[31mevil\\u001b[2J \\u202e text\"}\n");
  PseudoTerminal terminal(HONE, {"inspect", folder.path().string()}, 80, {{"NO_COLOR", "1"}});
  REQUIRE(terminal.wait_for("positive or negative?"));
  terminal.press("p9");
  CHECK(terminal.wait() == 0);
  CHECK(terminal.written().find('\x1b') == std::string::npos);
  CHECK(terminal.written().find("evil") != std::string::npos);
}

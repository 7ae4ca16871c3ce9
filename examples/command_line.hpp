// Options of the example programs, and what is said of those that are wrong.
#pragma once

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string>
#include <vector>

#include "help_text.hpp"
#include "hone/core/error.hpp"
#include "hone/version.hpp"

namespace hone::examples {

/// The number of letters to insert, leave out or exchange to make one word of the other (Levenshtein's distance).
inline std::size_t word_distance(std::string const& a, std::string const& b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      std::size_t const changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({changed, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

/// The word that was probably meant; empty: none is near.
inline std::string nearest_word(std::string const& word, std::vector<std::string> const& known) {
  std::string nearest;
  std::size_t least = std::max<std::size_t>(2, word.size() / 3) + 1;
  if (word.size() > 100) return nearest;
  for (auto const& candidate : known)
    if (std::size_t const distance = word_distance(word, candidate); distance < least) {
      least = distance;
      nearest = candidate;
    }
  return nearest;
}

/// The program or sub-command that the command line chose.
inline CLI::App const& chosen_command(CLI::App const& app) {
  auto const chosen = app.get_subcommands();
  return chosen.empty() ? app : chosen_command(*chosen.front());
}

/// "did you mean --epochs? " for the first argument that looks like a misspelled option or sub-command.
inline std::string suggestion(CLI::App const& app, int argc, char** argv) {
  CLI::App const& command = chosen_command(app);
  std::vector<std::string> known;
  for (auto const* option : command.get_options())
    for (auto const& name : option->get_lnames()) known.push_back("--" + name);
  for (auto const* other : command.get_subcommands([](CLI::App const*) { return true; })) known.push_back(other->get_name());
  for (int i = 1; i < argc; ++i) {
    std::string const word = std::string(argv[i]).substr(0, std::string(argv[i]).find('='));
    bool const is_option = word.rfind("--", 0) == 0 && word.size() > 2;
    bool const is_command = i == 1 && &command == &app && word.rfind('-', 0) != 0 && !word.empty();
    if (!is_option && !is_command) continue;
    if (std::find(known.begin(), known.end(), word) != known.end()) continue;
    if (std::string const near = nearest_word(word, known); !near.empty()) return "did you mean " + near + "? ";
  }
  return "";
}

/// Reads the command line. False: --help or --version was asked for and shown, there is nothing more to do.
/// Errors: E901 an option that does not exist, or a value that is not one.
inline bool parse_command_line(CLI::App& app, int argc, char** argv) {
  app.set_version_flag("--version", std::string("hone ") + version);
  try {
    app.parse(argc, argv);
  } catch (CLI::ParseError const& error) {
    if (error.get_exit_code() != 0) {
      auto const& command = chosen_command(app);
      std::string const name = &command == &app ? app.get_name() : app.get_name() + " " + command.get_name();
      throw Error(901, "the command line is not right: " + std::string(error.what()), {},
                  suggestion(app, argc, argv) + "see " + name + " --help");
    }
    app.exit(error);
    return false;
  }
  return true;
}

}  // namespace hone::examples

// The text of --help: what a program does, its arguments and options in columns that fit the terminal, examples, exit codes.
#pragma once

#include <CLI/CLI.hpp>
#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include "hone/report/terminal.hpp"

namespace hone::examples {

/// The values that an option takes, where they are a list: CLI11 shows IsMember as "{a,b,c}".
inline std::vector<std::string> choices_of(CLI::Option const& option) {
  std::string const type = option.get_type_name();
  auto const begin = type.find('{'), end = type.find('}');
  std::vector<std::string> choices;
  if (begin == type.npos || end == type.npos || end < begin) return choices;
  std::string word;
  for (char const c : type.substr(begin + 1, end - begin - 1)) {
    if (c == ',') {
      choices.push_back(word);
      word.clear();
    } else {
      word += c;
    }
  }
  choices.push_back(word);
  return choices;
}

/// Whether an option or argument of that name is a file or a folder.
inline bool is_path_option(std::string const& name) {
  for (char const* known : {"model", "data", "out", "config", "file", "whole-file", "html", "algorithms", "token-cache", "RUN"})
    if (name == known) return true;
  return false;
}

/// "--lr N", "--[no-]doctor", "-h, --help", "RUN".
inline std::string option_label(CLI::Option const& option) {
  auto const& names = option.get_lnames();
  if (names.empty() && option.get_snames().empty())
    return option.get_name() + (option.get_items_expected_max() > 1 ? "..." : "");
  std::string label;
  for (auto const& name : option.get_snames()) label += "-" + name + ", ";
  if (names.size() == 2 && names[1] == "no-" + names[0]) return label + "--[no-]" + names[0];
  for (auto const& name : names) label += "--" + name + ", ";
  label.resize(label.size() - 2);
  if (option.get_items_expected_max() == 0) return label;
  std::string const type = option.get_type_name();
  if (!names.empty() && is_path_option(names.back())) return label + " PATH";
  return label + (type.find("INT") != type.npos || type.find("FLOAT") != type.npos ? " N" : " TEXT");
}

/// The whole text, in lines of at most `columns` columns.
inline std::string help_text(CLI::App const& app, std::string const& name, int columns) {
  columns = std::clamp(columns, 40, 100);
  std::string text;
  auto const paragraph = [&](std::string const& words, int indent) {
    for (auto const& line : wrap_text(words, columns - indent)) text += std::string(std::size_t(indent), ' ') + line + "\n";
  };
  int const first = 26;
  auto const entry = [&](std::string const& label, std::string const& meaning) {
    text += "  " + label;
    bool fits = label.size() + 4 <= std::size_t(first);
    if (!fits) text += "\n";
    for (auto const& line : wrap_text(meaning, columns - first)) {
      text += std::string(fits ? std::size_t(first) - 2 - label.size() : std::size_t(first), ' ') + line + "\n";
      fits = false;
    }
  };
  auto const option_entry = [&](CLI::Option const& option) {
    std::string meaning = option.get_description();
    if (auto const choices = choices_of(option); !choices.empty()) {
      meaning += " [";
      for (auto const& choice : choices) meaning += (&choice == &choices.front() ? "" : ", ") + choice;
      meaning += "]";
    }
    if (!option.get_default_str().empty() && option.get_items_expected_max() > 0)
      meaning += " (" + option.get_default_str() + ")";
    entry(option_label(option), meaning);
  };
  auto const all = app.get_options();
  auto const is_positional = [](CLI::Option const* option) { return option->get_lnames().empty() && option->get_snames().empty(); };

  paragraph(app.get_description(), 0);
  std::string usage = "Usage: " + name;
  auto const commands = app.get_subcommands([](CLI::App const* command) { return !command->get_name().empty(); });
  if (!commands.empty()) usage += " COMMAND";
  usage += " [OPTIONS]";
  for (auto const* option : all)
    if (is_positional(option)) usage += option->get_required() ? " " + option_label(*option) : " [" + option_label(*option) + "]";
  text += "\n" + usage + "\n";
  if (!commands.empty()) {
    text += "\nCommands\n";
    for (auto const* command : commands) {
      std::string const about = command->get_description();
      entry(command->get_name(), about.substr(0, std::min({about.find(". "), about.find(": "), about.find("; ")})));
    }
  }
  bool begun = false;
  for (auto const* option : all) {
    if (!is_positional(option)) continue;
    if (!begun) text += "\n";
    begun = true;
    option_entry(*option);
  }
  for (auto const& group : app.get_groups()) {
    bool named = false;
    for (auto const* option : all) {
      if (is_positional(option) || option->get_group() != group) continue;
      if (!named) text += "\n" + group + "\n";
      named = true;
      option_entry(*option);
    }
  }
  std::istringstream footer(app.get_footer());
  for (std::string line; std::getline(footer, line);) {
    int const indent = static_cast<int>(std::min(line.find_first_not_of(' '), line.size()));
    if (display_width(line) <= columns)
      text += line + "\n";
    else
      paragraph(line, indent);
  }
  return text;
}

/// Gives a program, and the sub-commands that are added later, this help.
inline void use_help_text(CLI::App& app) {
  app.formatter_fn([](CLI::App const* of, std::string const& name, CLI::AppFormatMode) {
    auto const terminal = Terminal::of(stdout);
    return help_text(*of, name, terminal.interactive ? terminal.width - 1 : 100);
  });
}

}  // namespace hone::examples

// hone completion: scripts that let a shell complete sub-commands, options and their values, made from the command line itself.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "command.hpp"

namespace hone::examples {

/// An option as a shell should know it.
struct KnownOption {
  std::vector<std::string> names{};    ///< with their hyphens
  std::vector<std::string> choices{};  ///< allowed values, where they are a list
  std::string help{};
  bool takes_value = false, takes_path = false;
};

/// What can be completed after a sub-command; the program itself has the name "".
struct KnownCommand {
  std::string name{}, help{};
  std::vector<KnownOption> options{};
  bool takes_path = false;                ///< as positional argument
  std::vector<std::string> choices{};     ///< of the positional argument
};

inline std::vector<KnownCommand> known_commands(CLI::App const& hone) {
  auto const known = [&](CLI::App const& app, std::string const& name) {
    KnownCommand command;
    command.name = name;
    command.help = app.get_description().substr(0, app.get_description().find_first_of(".:"));
    for (auto const* option : app.get_options()) {
      KnownOption made;
      for (auto const& shorter : option->get_snames()) made.names.push_back("-" + shorter);
      for (auto const& longer : option->get_lnames()) made.names.push_back("--" + longer);
      if (made.names.empty()) {  // positional
        command.takes_path = command.takes_path || is_path_option(option->get_name());
        for (auto const& choice : choices_of(*option)) command.choices.push_back(choice);
        continue;
      }
      made.help = option->get_description().substr(0, option->get_description().find_first_of(";\n"));
      made.takes_value = option->get_items_expected_max() > 0;
      made.takes_path = is_path_option(made.names.back().substr(2));
      made.choices = choices_of(*option);
      command.options.push_back(std::move(made));
    }
    return command;
  };
  std::vector<KnownCommand> all{known(hone, "")};
  for (auto const* app : hone.get_subcommands([](CLI::App const*) { return true; })) all.push_back(known(*app, app->get_name()));
  return all;
}

inline std::string joined(std::vector<std::string> const& words, char const* between = " ") {
  std::string text;
  for (auto const& word : words) text += (text.empty() ? "" : between) + word;
  return text;
}

/// A text between single quotes for bash, zsh and fish.
inline std::string quoted(std::string const& text) {
  std::string all = "'";
  for (char const c : text) all += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return all + "'";
}

inline std::string bash_completion(std::vector<KnownCommand> const& commands) {
  std::string names, cases;
  for (auto const& command : commands) {
    if (!command.name.empty()) names += (names.empty() ? "" : " ") + command.name;
    std::string options, values;
    for (auto const& option : command.options) {
      options += (options.empty() ? "" : " ") + joined(option.names);
      if (!option.takes_value) continue;
      std::string const words = option.choices.empty() ? "" : "COMPREPLY=($(compgen -W '" + joined(option.choices) + "' -- \"$word\"))";
      values += "        " + joined(option.names, "|") + ") " +
                (!words.empty() ? words : option.takes_path ? "_hone_files" : ":") + "; return ;;\n";
    }
    cases += "    " + (command.name.empty() ? "''" : command.name) + ")\n";
    if (!values.empty()) cases += "      case $before in\n" + values + "      esac\n";
    cases += "      options='" + options + "'\n";
    if (!command.choices.empty()) cases += "      words='" + joined(command.choices) + "'\n";
    if (command.takes_path) cases += "      files=1\n";
    cases += "      ;;\n";
  }
  return R"(# bash completion for hone. Use it now: source <(hone completion bash)
# for every shell: hone completion bash > ~/.local/share/bash-completion/completions/hone
_hone_files() {
  local IFS=$'\n'
  compopt -o filenames 2>/dev/null
  COMPREPLY=($(compgen -f -- "$word"))
}
_hone() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command='' options='' words='' files='' i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; ++i)); do
    case ${COMP_WORDS[i]} in
      -*) ;;
      *) command=${COMP_WORDS[i]}; break ;;
    esac
  done
  case $command in
)" + cases + R"(  esac
  if [[ -z $command && $word != -* ]]; then
    COMPREPLY=($(compgen -W ')" + names + R"(' -- "$word"))
  elif [[ $word == -* ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$word"))
  elif [[ -n $words ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$word"))
  elif [[ -n $files ]]; then
    _hone_files
  fi
}
complete -F _hone hone
)";
}

inline std::string zsh_completion(std::vector<KnownCommand> const& commands) {
  auto const clean = [](std::string text) {  // what _arguments takes as a description
    for (char& c : text)
      if (c == '[' || c == ']' || c == ':') c = ' ';
    return text;
  };
  std::string list, cases;
  for (auto const& command : commands) {
    std::string arguments;
    for (auto const& option : command.options)
      for (auto const& name : option.names) {
        std::string value;
        if (option.takes_value)
          value = !option.choices.empty() ? ":value:(" + joined(option.choices) + ")"
                  : option.takes_path     ? ":file:_files"
                                          : ":value: ";
        arguments += " \\\n        " + quoted(name + "[" + clean(option.help) + "]" + value);
      }
    if (command.takes_path) arguments += " \\\n        '*:file:_files'";
    if (!command.choices.empty()) arguments += " \\\n        '*:value:(" + joined(command.choices) + ")'";
    if (command.name.empty()) continue;
    list += "    " + quoted(command.name + ":" + clean(command.help)) + "\n";
    cases += "    " + command.name + ")\n      _arguments" + arguments + "\n      ;;\n";
  }
  return R"(#compdef hone
# zsh completion for hone: hone completion zsh > FOLDER_OF_YOUR_FPATH/_hone
_hone() {
  local -a commands
  commands=(
)" + list + R"(  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
)" + cases + R"(  esac
}
if [ "$funcstack[1]" = "_hone" ]; then _hone "$@"; else compdef _hone hone; fi
)";
}

inline std::string fish_completion(std::vector<KnownCommand> const& commands) {
  std::string text = "# fish completion for hone: hone completion fish > ~/.config/fish/completions/hone.fish\n"
                     "complete -c hone -f\n";
  for (auto const& command : commands) {
    std::string const when = command.name.empty() ? "__fish_use_subcommand" : "__fish_seen_subcommand_from " + command.name;
    if (!command.name.empty())
      text += "complete -c hone -n __fish_use_subcommand -a " + command.name + " -d " + quoted(command.help) + "\n";
    if (command.takes_path) text += "complete -c hone -n " + quoted(when) + " -F\n";
    if (!command.choices.empty()) text += "complete -c hone -n " + quoted(when) + " -a " + quoted(joined(command.choices)) + "\n";
    for (auto const& option : command.options) {
      text += "complete -c hone -n " + quoted(when);
      for (auto const& name : option.names)
        text += name.rfind("--", 0) == 0 ? " -l " + name.substr(2) : " -s " + name.substr(1);
      if (option.takes_value) text += option.takes_path ? " -r -F" : " -x";
      if (!option.choices.empty()) text += " -a " + quoted(joined(option.choices));
      text += " -d " + quoted(option.help) + "\n";
    }
  }
  return text;
}

inline Command completion_command(CLI::App& hone) {
  auto* const app = add_command(hone, "completion", "Prints a script that lets a shell complete hone's commands and options.",
                                {"bash > ~/.local/share/bash-completion/completions/hone\tfor every bash",
                                 "fish > ~/.config/fish/completions/hone.fish\tfor every fish"});
  auto shell = std::make_shared<std::string>();
  app->add_option("SHELL", *shell, "which shell")->required()->check(CLI::IsMember({"bash", "zsh", "fish"}));
  return {app, [&hone, shell](auto const&) {
            auto const commands = known_commands(hone);
            std::string const script = *shell == "bash" ? bash_completion(commands)
                                       : *shell == "zsh" ? zsh_completion(commands)
                                                         : fish_completion(commands);
            std::fputs(script.c_str(), stdout);
            return 0;
          }};
}

}  // namespace hone::examples

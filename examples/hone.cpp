// The program hone: everything that the library does with models and reviews, as sub-commands.
//
//   hone                       what there is
//   hone finetune --help       options, examples and exit codes of one command
//
// Each command is one file in hone/; what fine-tuning does is finetune_imdb.hpp.
#include <string>
#include <vector>

#include "hone/compare.hpp"
#include "hone/completion.hpp"
#include "hone/evaluate.hpp"
#include "hone/finetune.hpp"
#include "hone/info.hpp"
#include "hone/inspect.hpp"
#include "hone/predict.hpp"
#include "hone/report.hpp"
#include "run_program.hpp"

int main(int argc, char** argv) {
  using namespace hone::examples;
  return run_program([&] {
    CLI::App app("hone fine-tunes pretrained BERT encoders, tests them, and shows what they do.", "hone");
    use_help_text(app);
    app.footer(
        "\nExamples:\n"
        "  hone finetune\n      trains a tiny model on generated reviews and writes runs/demo\n"
        "  hone predict runs/demo \"what a film!\"\n      rates a text with it\n"
        "\nExit codes: 0 done; 1 an error, told with its number on standard error (docs/errors.md); 130 Ctrl-C\n"
        "hone COMMAND --help explains a command.");
    std::vector<Command> const commands{finetune_command(app), evaluate_command(app), predict_command(app),
                                        inspect_command(app),  compare_command(app),  report_command(app),
                                        doctor_command(app),   info_command(app),     completion_command(app)};
    app.require_subcommand(0, 1);
    if (!parse_command_line(app, argc, argv)) return 0;
    for (auto const& command : commands)
      if (command.app->parsed()) return command.run({argv, argv + argc});
    std::printf("%s", app.help().c_str());
    return 0;
  });
}

// hone finetune and hone doctor: what examples/finetune_imdb.hpp does, as sub-commands.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "../finetune_imdb.hpp"
#include "command.hpp"

namespace hone::examples {

inline Command finetune_command(CLI::App& hone) {
  auto* const app = add_command(
      hone, "finetune",
      "Fine-tunes a pretrained BERT on IMDB: is a review positive, and how many stars does it give? Without --model and "
      "--data it runs on a small built-in corpus of generated reviews, with its own defaults.",
      {"\ttrains a tiny model on generated reviews: nothing is downloaded, half a minute",
       "--model models/bert-base-cased --data data/aclImdb_v1.tar.gz --wandb\tthe real thing, with logs for Weights & Biases",
       "--config runs/demo --seed 1\tan earlier run again, with another seed"},
      "; 130 ended by a second Ctrl-C. The first Ctrl-C ends training after the step at work: the model is saved and "
      "tested, and the exit code is 0.");
  auto options = std::make_shared<FinetuneOptions>(*app, true);
  return {app, [options](auto const& command_line) {
            options->complete();
            options->settings.command = command_line;
            return finetune_on_processor(options->settings);
          }};
}

inline Command doctor_command(CLI::App& hone) {
  auto* const app = add_command(
      hone, "doctor",
      "Looks for mistakes in weights, data and settings before anything is trained (hone finetune --doctor-only).",
      {"--model models/bert-base-cased --data data/aclImdb_v1.tar.gz\tis everything ready for a training?",
       "--config runs/demo\twith the settings of an earlier run"},
      ", also when the doctor has found one");
  auto options = std::make_shared<FinetuneOptions>(*app, true);
  return {app, [options](auto const& command_line) {
            options->complete();
            options->settings.command = command_line;
            options->settings.doctor_only = true;
            return finetune_on_processor(options->settings);
          }};
}

}  // namespace hone::examples

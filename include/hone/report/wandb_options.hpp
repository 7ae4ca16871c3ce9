// What a person can say about a Weights & Biases run.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/core/matrix.hpp"

#if HONE_BODIES
#include <algorithm>
#include <random>

#include "hone/core/error.hpp"
#include "hone/core/input_file.hpp"
#endif

namespace hone {

/// Options of WandbLogger. Runs are written to files only (W&B's mode "offline"); `wandb sync` uploads them.
struct WandbOptions {
  std::string project = "hone";  ///< where the run is shown
  std::string entity{};          ///< user or team; empty: the default of the account that uploads
  std::string name{};            ///< of the run, for people; empty: RunStart::name
  std::string group{};           ///< runs of one group are shown together, such as the seeds of one setting
  std::string job_type{};        ///< "train", "evaluate", ...
  std::string notes{};
  std::vector<std::string> tags{};
  std::string run_id{};             ///< of letters, digits, '-', '_' and '.'; empty: eight random letters and digits
  bool resume = false;              ///< the log of `run_id` below the same folder goes on; where there is none, one begins
  Index table_rows = 10000;         ///< a table is cut after so many rows (W&B shows no more of a table in a file)
  bool incremental_tables = false;  ///< tables of one key are shown as one that grows (W&B's log mode INCREMENTAL)
  bool model = true;                ///< the trained model is uploaded as an artifact
};

namespace detail::wandb {

std::size_t characters(std::string_view text);

[[noreturn]] void refuse_option(char const* what, std::string_view value, char const* allowed);

/// `count` random characters of a-z and 0-9, from the system: not of the run's seed, so that they change nothing in it.
std::string random_name(int count);

#if HONE_BODIES

[[noreturn]] HONE_INLINE void refuse_option(char const* what, std::string_view value, char const* allowed) {
  throw Error(745, std::string(what) + " is not one that Weights & Biases takes",
              {.value = printable(value), .allowed = allowed}, "choose another one");
}

HONE_INLINE std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

HONE_INLINE std::string random_name(int count) {
  std::random_device device;
  std::uniform_int_distribution<int> digit(0, 35);
  std::string name;
  for (int i = 0; i < count; ++i) name += "abcdefghijklmnopqrstuvwxyz0123456789"[digit(device)];
  return name;
}

#endif

}  // namespace detail::wandb

/// Throws E745 where an option is not one that W&B takes (its limits: wandb_settings.py of the wandb package).
void check_wandb_options(WandbOptions const& options);

#if HONE_BODIES

HONE_INLINE void check_wandb_options(WandbOptions const& options) {
  using detail::wandb::characters;
  using detail::wandb::refuse_option;
  auto has_control = [](std::string_view text) {
    return std::any_of(text.begin(), text.end(), [](char c) { return (c >= 0 && c < 0x20) || c == 0x7f; });
  };
  std::string const& project = options.project;
  if (project.empty() || characters(project) > 128 || project.find_first_of("/\\#?%:") != project.npos ||
      has_control(project))
    refuse_option("the project", project, "1 to 128 characters without / \\ # ? % :");
  std::string const& entity = options.entity;
  if (characters(entity) > 128 || entity.find_first_of("/\\#?%: ") != entity.npos || has_control(entity))
    refuse_option("the entity", entity, "the name of a user or a team");
  for (auto const& tag : options.tags) {
    if (tag.empty() || characters(tag) > 64 || has_control(tag)) refuse_option("a tag", tag, "1 to 64 characters");
  }
  if (characters(options.group) > 128 || has_control(options.group))
    refuse_option("the group", options.group, "at most 128 characters");
  if (characters(options.job_type) > 128 || has_control(options.job_type))
    refuse_option("the job type", options.job_type, "at most 128 characters");
  std::string const& id = options.run_id;
  bool const good_id = std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  });
  if (!good_id || id.size() > 64 || (!id.empty() && (id[0] == '.' || id[0] == '-')))
    refuse_option("the run id", id, "1 to 64 of a-z A-Z 0-9 - _ ., beginning with a letter, a digit or _");
  if (options.table_rows < 1)
    refuse_option("the number of rows of a table", std::to_string(options.table_rows), "1 or more");
}

#endif

}  // namespace hone

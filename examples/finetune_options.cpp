// The command line of finetune_imdb.
#include "finetune_options.hpp"

namespace hone::examples {

std::optional<Settings> read_settings(int argc, char** argv) {
  return read_settings(argc, argv, "finetune_imdb", [](CLI::App&, Settings&) {});
}

}  // namespace hone::examples

// What a run on a GPU records besides, and takes from an earlier one. On the processor both do nothing.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include <hone/hone.hpp>

#include "finetune_settings.hpp"

namespace hone::examples {

/// Takes the algorithms of --algorithms, so that the run repeats the bits of the one that recorded them.
/// Errors: E20x of the file, E727 it is damaged.
template <class Context>
void use_recorded_algorithms(Context& context, Settings const& settings, Console& console) {
  if constexpr (requires(std::string const& text) { context.use_algorithms(text); }) {
    if (settings.algorithms.empty()) return;
    std::size_t const taken = context.use_algorithms(read_file(settings.algorithms, std::uint64_t(64) << 20));
    if (taken == 0)
      console.print("note: the recorded algorithms are of another device or version of cuBLASLt; new ones are chosen");
  } else {
    static_cast<void>(context), static_cast<void>(settings), static_cast<void>(console);
  }
}

/// Device, versions and memory go to results.json, the algorithms of matrix products to algorithms.jsonl.
template <class Context>
void describe_device(Context const& context, RunFolder const& run, nlohmann::ordered_json& results) {
  if constexpr (requires { context.about(); }) {
    results["device"] = context.about();
    results["device"]["peak_bytes"] = context.peak_bytes();
    write_file_atomically(run / "algorithms.jsonl", context.algorithms());
  } else {
    static_cast<void>(context), static_cast<void>(run), static_cast<void>(results);
  }
}

}  // namespace hone::examples

// hone compare: several runs side by side, with intervals and paired tests.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "command.hpp"
#include "hone/report/compare.hpp"
#include "hone/report/compare_html.hpp"
#include "hone/report/compare_json.hpp"
#include "hone/report/compare_text.hpp"

namespace hone::examples {

inline Command compare_command(CLI::App& hone) {
  struct Options {
    std::vector<std::string> runs{};
    std::string html{};
    bool every_pair = false, json = false;
  };
  auto* const app = add_command(
      hone, "compare",
      "Shows runs side by side: settings that differ, measures with intervals, loss curves, and whether one is better than "
      "another beyond chance (McNemar's test, paired bootstrap).",
      {"runs/demo runs/demo-2\ttwo runs", "runs/seed-* --every-pair --html seeds.html\tall against all, also as a page"});
  auto options = std::make_shared<Options>();
  app->add_option("RUN", options->runs, "folders of runs, or of evaluations")->required();
  app->add_flag("--every-pair", options->every_pair, "test every pair; else all against the first");
  app->add_option("--html", options->html, "write a page with tables and drawings, too");
  app->add_flag("--json", options->json, "as JSON");
  return {app, [options](auto const&) {
            CompareOptions how;
            how.every_pair = options->every_pair;
            Console console;
            auto terminal = console.terminal();
            if (!terminal.interactive) terminal.width = 121;
            std::vector<std::filesystem::path> const folders(options->runs.begin(), options->runs.end());
            Comparison const comparison = compare_runs(folders, how);
            if (options->json)
              console.print(to_json(comparison).dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
            else
              console.print(compare_text(comparison, terminal));
            if (!options->html.empty()) write_compare_html(options->html, comparison);
            return 0;
          }};
}

}  // namespace hone::examples

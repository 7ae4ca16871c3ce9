#include "hone/report/compare.hpp"

#include <cmath>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "hone/report/compare_html.hpp"
#include "hone/report/compare_json.hpp"
#include "hone/report/compare_text.hpp"
#include "support/catch.hpp"
#include "support/error_matcher.hpp"
#include "support/temporary_folder.hpp"

using namespace hone;

namespace {

using Json = nlohmann::ordered_json;

/// A run to be planted: texts test/0.txt, test/1.txt, ... of class i % 2 and stars 1 + i % 10.
struct Planted {
  int texts = 200, first = 0, steps = 20;
  std::function<bool(int)> right = [](int i) { return i % 5 != 0; };
  std::function<double(int)> error = [](int i) { return 0.5 + 0.1 * (i % 7); };
  Json settings{{"lr", 1e-5}, {"seed", 0}, {"out", "here"}};
  std::string words = "a review";  // of every text, with its number

  void write(std::filesystem::path const& folder) const {
    std::string predictions, metrics;
    for (int i = first; i < first + texts; ++i) {
      bool const good = right(i);
      int const truth = i % 2;
      double const p = good == (truth == 1) ? 0.8 : 0.3;
      Json line{{"source", "test/" + std::to_string(i) + ".txt"},
                {"is_positive", truth},
                {"is_positive_predicted", p > 0.5 ? 1 : 0},
                {"is_positive_probability", p},
                {"star_rating", 1.0 + i % 10},
                {"star_rating_predicted", 1.0 + i % 10 + error(i)}};
      if (!words.empty()) line["text"] = words + std::to_string(i);
      predictions += line.dump() + "\n";
    }
    for (int step = 1; step <= steps; ++step)
      metrics += Json{{"step", step},
                      {"is_positive_loss", 0.7 / step},
                      {"star_rating_loss", 3.0 / step},
                      {"accuracy", nullptr},
                      {"group_norms", {{"layer.0", 1.0}}}}
                     .dump() +
                 "\n";
    test::write_file(folder / "predictions.jsonl", predictions);
    test::write_file(folder / "metrics.jsonl", metrics);
    Json const results{{"steps", steps},        {"train_examples_seen", 320},
                       {"train_seconds", 61.0}, {"train_tokens_per_second", 1234.5},
                       {"settings", settings},  {"host", {{"cpu", "a processor"}}},
                       {"test_examples", texts}};
    test::write_file(folder / "results.json", results.dump());
  }
};

Terminal screen(int width, bool colors = false, bool unicode = true) {
  Terminal terminal;
  terminal.width = width;
  terminal.colors = colors;
  terminal.unicode = unicode;
  return terminal;
}

std::vector<std::string> lines_of(std::string const& text) {
  std::vector<std::string> lines;
  std::size_t begin = 0;
  for (std::size_t end; (end = text.find('\n', begin)) != text.npos; begin = end + 1)
    lines.push_back(text.substr(begin, end - begin));
  return lines;
}

/// What a terminal shows of a line with colours.
std::string without_colors(std::string const& line) {
  std::string out;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\x1b')
      i = line.find('m', i);
    else
      out += line[i];
  }
  return out;
}

bool has(std::vector<std::string> const& notes, std::string const& part) {
  for (auto const& note : notes)
    if (note.find(part) != std::string::npos) return true;
  return false;
}

}  // namespace

TEST_CASE("a run is read back: steps, curves, predictions by head, results") {
  test::TemporaryFolder const folder;
  Planted{}.write(folder / "one");
  auto const run = read_run(folder / "one/");
  CHECK(run.name == "one");
  CHECK(run.notes.empty());
  REQUIRE(run.steps.size() == 20);
  REQUIRE(run.curves.size() == 3);
  CHECK(run.curves[0].key == "is_positive_loss");
  CHECK(run.curves[1].key == "star_rating_loss");
  CHECK(run.curves[1].values[2] == 1.0);
  CHECK(std::isnan(run.curves[2].values[0]));
  REQUIRE(run.heads.size() == 2);
  CHECK(run.heads[0].head == "is_positive");
  CHECK(run.heads[0].classes == 2);
  CHECK(run.heads[0].probabilities.size() == 400);
  CHECK(run.heads[0].truth[3] == 1);
  CHECK(run.heads[1].classes == 0);
  CHECK(run.heads[1].predicted[3] == Approx(4.8));
  CHECK(run.sources[3] == "test/3.txt");
  CHECK(run.number({"host", "cpu"}) != run.number({"steps"}));
  CHECK(run.number({"steps"}) == 20);
  CHECK(std::isnan(run.number({"host", "cores"})));
}

TEST_CASE("measures of a run are those of the metrics library on its predictions") {
  test::TemporaryFolder const folder;
  Planted{}.write(folder / "one");
  auto const comparison = compare_runs({read_run(folder / "one")});
  REQUIRE(comparison.runs.size() == 1);
  REQUIRE(comparison.runs[0].heads.size() == 2);
  auto const& head = comparison.runs[0].heads[0];
  CHECK(head.accuracy == Approx(0.8));
  CHECK(head.accuracy_interval.low == Approx(wilson_interval(160, 200).low));
  CHECK(head.cross_entropy ==
        Approx(-(80 * std::log(0.8) + 80 * std::log(0.7) + 20 * std::log(0.3) + 20 * std::log(0.2)) / 200));
  auto const& run = comparison.runs[0].record;
  std::vector<double> score;
  for (std::size_t i = 1; i < 400; i += 2) score.push_back(run.heads[0].probabilities[i]);
  CHECK(head.roc_auc == Approx(roc_auc(run.heads[0].truth, score)));
  CHECK(comparison.runs[0].heads[1].mean_absolute_error ==
        Approx(mean_absolute_error(run.heads[1].truth, run.heads[1].predicted)));
  CHECK(comparison.tests.empty());
  CHECK(comparison.settings.empty());
  CHECK(comparison.same_texts);
}

TEST_CASE("a better run is seen by both tests, equal runs are not told apart") {
  test::TemporaryFolder const folder;
  Planted plain, better, same;
  better.right = [](int i) { return i % 10 != 0; };
  better.error = [](int i) { return 0.3 + 0.1 * (i % 7); };
  better.settings["lr"] = 2e-5;
  same.settings["out"] = "elsewhere";
  plain.write(folder / "a");
  better.write(folder / "b");
  same.write(folder / "c");
  auto const comparison = compare_runs(std::vector<std::filesystem::path>{folder / "a", folder / "b", folder / "c"});
  CHECK(comparison.common_texts == 200);
  CHECK(comparison.notes.empty());
  REQUIRE(comparison.settings.size() == 1);  // the output folder is no setting of interest
  CHECK(comparison.settings[0].name == "lr");
  CHECK(comparison.settings[0].values == std::vector<std::string>{"1e-05", "2e-05", "1e-05"});
  REQUIRE(comparison.tests.size() == 6);  // three pairs, two heads
  auto const& accuracy = comparison.tests[0];
  CHECK(accuracy.first == 0);
  CHECK(accuracy.second == 1);
  CHECK(accuracy.texts == 200);
  CHECK(accuracy.mcnemar.only_first == 0);
  CHECK(accuracy.mcnemar.only_second == 20);
  CHECK(accuracy.p_value == Approx(mcnemar(0, 20).p_value));
  CHECK(accuracy.adjusted_p_value == Approx(3 * accuracy.p_value));
  CHECK(accuracy.difference.difference == Approx(0.1));
  CHECK(accuracy.difference.interval.low > 0);
  CHECK(accuracy.better() == 1);
  auto const& stars = comparison.tests[1];
  CHECK(stars.head == "star_rating");
  CHECK(stars.difference.difference == Approx(-0.2));
  CHECK(stars.better() == 1);  // a smaller error
  CHECK(comparison.tests[2].p_value == 1);
  CHECK(comparison.tests[2].better() == 0);
  CHECK(comparison.tests[4].better() == -1);  // b is better than c
  CHECK(test_text(comparison, accuracy) ==
        "accuracy +10.00 points (95 % interval +6.00 to +14.50); only A is right on 0 texts, only B on 20: p < 0.001 "
        "(McNemar, exact), p < 0.001 for all tests together (Holm). B is better (200 texts)");
  std::string const text = compare_text(comparison, screen(100));
  CHECK(text.find("B is better") != std::string::npos);
  CHECK(text.find("No difference beyond chance") != std::string::npos);
}

TEST_CASE("runs with other test sets are compared on the common texts, whatever their order, and it is said") {
  test::TemporaryFolder const folder;
  Planted a, b;
  a.texts = 150;
  b.first = 100;
  b.right = [](int) { return true; };
  a.write(folder / "a");
  b.write(folder / "b");
  // The lines of b in another order.
  auto lines = lines_of(test::read_file(folder / "b" / "predictions.jsonl"));
  std::reverse(lines.begin(), lines.end());
  std::string reversed;
  for (auto const& line : lines) reversed += line + "\n";
  test::write_file(folder / "b" / "predictions.jsonl", reversed);
  auto const comparison = compare_runs(std::vector<std::filesystem::path>{folder / "a", folder / "b"});
  CHECK(comparison.common_texts == 50);
  CHECK(comparison.same_texts);
  CHECK(has(comparison.notes, "A 150, B 200 texts"));
  CHECK(has(comparison.notes, "50 texts"));
  CHECK(comparison.runs[0].texts == 50);
  CHECK(comparison.runs[0].heads[0].accuracy == Approx(0.8));
  CHECK(comparison.runs[1].heads[0].accuracy == 1);
  REQUIRE(comparison.tests.size() == 2);
  CHECK(comparison.tests[0].texts == 50);
  CHECK(comparison.tests[0].mcnemar.only_second == 10);
}

TEST_CASE("nothing in common, other texts of the same names: no test, no shared measures, and it is said") {
  test::TemporaryFolder const folder;
  Planted a, b, c, d;
  b.first = 1000;
  c.words = "another review";
  d.words = "";  // no texts: only the truth can tell
  a.write(folder / "a");
  b.write(folder / "b");
  c.write(folder / "c");
  d.write(folder / "d");
  using Paths = std::vector<std::filesystem::path>;
  auto const apart = compare_runs(Paths{folder / "a", folder / "b"});
  CHECK(apart.tests.empty());
  CHECK(apart.common_texts == 0);
  CHECK_FALSE(apart.same_texts);
  CHECK(apart.runs[0].texts == 200);
  CHECK(has(apart.notes, "no test text in common"));
  CHECK(has(apart.notes, "cannot be compared"));
  auto const other = compare_runs(Paths{folder / "a", folder / "c"});
  CHECK(other.tests.empty());
  CHECK(has(other.notes, "other texts of the same names (200, the first is test/0.txt)"));
  CHECK(compare_runs(Paths{folder / "a", folder / "d"}).tests.size() == 2);
  std::string text = test::read_file(folder / "d" / "predictions.jsonl");
  text.replace(text.find("\"star_rating\":3.0"), 17, "\"star_rating\":4.0");
  test::write_file(folder / "d" / "predictions.jsonl", text);
  CHECK(has(compare_runs(Paths{folder / "a", folder / "d"}).notes, "(1, the first is test/2.txt)"));
}

TEST_CASE("a run without predictions or results shows what it has") {
  test::TemporaryFolder const folder;
  Planted{}.write(folder / "a");
  Planted{}.write(folder / "b");
  Planted{}.write(folder / "c");
  std::filesystem::remove(folder / "b" / "predictions.jsonl");
  Json results = Json::parse(test::read_file(folder / "b" / "results.json"));
  results["heads"] = {{"is_positive", {{"accuracy", 0.75}, {"accuracy_interval", {0.7, 0.8}}, {"f1", nullptr}}}, {"odd", 3}};
  test::write_file(folder / "b" / "results.json", results.dump());
  std::filesystem::remove(folder / "c" / "results.json");
  auto const comparison = compare_runs(std::vector<std::filesystem::path>{folder / "a", folder / "b", folder / "c"});
  CHECK(has(comparison.notes, "B: it has no predictions.jsonl"));
  CHECK(has(comparison.notes, "C: it has no results.json"));
  CHECK_FALSE(comparison.same_texts);
  CHECK(comparison.tests.size() == 2);  // a and c
  CHECK(comparison.runs[1].heads.at(0).accuracy == 0.75);
  CHECK(std::isnan(comparison.runs[1].heads.at(0).measures.f1));
  std::string const text = compare_text(comparison, screen(90));
  INFO(text);
  CHECK(text.find("20 so far") != std::string::npos);
  CHECK(text.find("75.00") != std::string::npos);
}

TEST_CASE("the folder of an evaluation counts as a run") {
  test::TemporaryFolder const folder;
  Planted{}.write(folder / "a");
  std::filesystem::rename(folder / "a" / "results.json", folder / "a" / "evaluation.json");
  std::filesystem::remove(folder / "a" / "metrics.jsonl");
  auto const run = read_run(folder / "a");
  CHECK(run.number({"test_examples"}) == 200);
  CHECK(run.notes.empty());
}

TEST_CASE("a torn last line is left out and noted; steps that a resumed run did again count once") {
  test::TemporaryFolder const folder;
  Planted{}.write(folder / "a");
  test::write_file(folder / "a" / "metrics.jsonl",
                   "{\"step\":1,\"x_loss\":1}\n{\"step\":2,\"x_loss\":2}\n{\"step\":3,\"x_loss\":3}\n"
                   "{\"step\":2,\"x_loss\":20,\"new\":5}\n{\"step\":3,\"x_lo");
  test::write_file(folder / "a" / "predictions.jsonl", test::read_file(folder / "a" / "predictions.jsonl") + "{\"sour");
  auto const run = read_run(folder / "a");
  CHECK(run.steps == std::vector<double>{1, 2});
  CHECK(run.curves.at(0).values == std::vector<double>{1, 20});
  CHECK(std::isnan(run.curves.at(1).values.at(0)));
  CHECK(run.curves.at(1).values.at(1) == 5);
  CHECK(has(run.notes, "metrics.jsonl was torn"));
  CHECK(has(run.notes, "predictions.jsonl was torn"));
  CHECK(run.sources.size() == 200);
}

TEST_CASE("damaged files of runs have numbers, with file and line") {
  test::TemporaryFolder const folder;
  auto const number = [&](std::string const& file, std::string const& content, std::string* text = nullptr) {
    std::filesystem::remove_all(folder / "a");
    Planted{}.write(folder / "a");
    test::write_file(folder / "a" / file, content);
    return test::error_number([&] { read_run(folder / "a"); }, text);
  };
  std::string text;
  CHECK(test::error_number([&] { read_run(folder / "none"); }, &text) == 930);
  CHECK(text.find("there is no such folder") != std::string::npos);
  std::filesystem::create_directory(folder / "empty");
  CHECK(test::error_number([&] { read_run(folder / "empty"); }, &text) == 930);
  CHECK(text.find("holds no run") != std::string::npos);
  CHECK(number("results.json", "[1]") == 930);
  CHECK(number("results.json", "{\"a\":") == 210);
  CHECK(number("metrics.jsonl", "{\"step\":1}\n{\"step\":\n{\"step\":3}\n", &text) == 931);
  CHECK(text.find("line 2") != std::string::npos);
  CHECK(text.find("metrics.jsonl") != std::string::npos);
  CHECK(number("metrics.jsonl", "{\"step\":1}\n7\n") == 931);
  CHECK(number("metrics.jsonl", "{\"loss\":1}\n") == 931);
  CHECK(number("metrics.jsonl", "{\"step\":\"1\"}\n") == 931);
  CHECK(number("metrics.jsonl", "{\"step\":null}\n") == 931);
  std::string many = "{\"step\":1";
  for (int i = 0; i < 300; ++i) many += ",\"k" + std::to_string(i) + "\":1";
  CHECK(number("metrics.jsonl", many + "}\n") == 931);
  std::string const good = R"({"source":"a","y":1,"y_predicted":1,"y_probability":0.9})"
                           "\n";
  CHECK(number("predictions.jsonl", good) == 0);
  CHECK(number("predictions.jsonl", good + good) == 932);
  for (char const* bad :
       {R"({"y":1,"y_predicted":1,"y_probability":0.9})", R"({"source":7})", R"({"source":"b","y":1,"y_predicted":1})",
        R"({"source":"b","y":1,"y_probability":0.9})", R"({"source":"b","y":2,"y_predicted":1,"y_probability":0.9})",
        R"({"source":"b","y":1,"y_predicted":0.5,"y_probability":0.9})",
        R"({"source":"b","y":1,"y_predicted":null,"y_probability":0.9})",
        R"({"source":"b","y":1,"y_predicted":1,"y_probability":1.5})",
        R"({"source":"b","y":1,"y_predicted":1,"y_probability":"x"})",
        R"({"source":"b","y":1,"y_predicted":1,"y_probability":[0.1,0.9]})",
        R"({"source":"b","y":1,"y_predicted":1,"y_probability":[0.1,0.8,0.1]})", "\xff\xfe", "null", "[]"}) {
    INFO(bad);
    CHECK(number("predictions.jsonl", good + bad + "\n") == 931);
  }
  CHECK(number("predictions.jsonl", R"({"source":"b","y":1,"y_predicted":1,"y_probability":[1]})"
                                    "\n") == 931);
  CHECK(test::error_number([] { compare_runs(std::vector<std::filesystem::path>{}); }) == 934);
  CHECK(test::error_number([] { compare_runs(std::vector<RunRecord>(27)); }) == 934);
}

TEST_CASE("heads of several classes, labels that are missing, numbers that are not finite") {
  test::TemporaryFolder const folder;
  std::string lines;
  for (int i = 0; i < 30; ++i) {
    Json line{{"source", i < 10 ? "x" + std::to_string(i) : "y" + std::to_string(i)},
              {"topic_predicted", i % 3},
              {"topic_probability", {i % 3 == 0 ? 0.8 : 0.1, i % 3 == 1 ? 0.8 : 0.1, i % 3 == 2 ? 0.8 : 0.1}},
              {"length", i == 3 ? Json(nullptr) : Json(i)},
              {"length_predicted", i == 5 ? Json(nullptr) : Json(i + 1)}};
    if (i % 4 != 0) line["topic"] = i % 6 < 3 ? i % 3 : (i + 1) % 3;
    lines += line.dump() + "\n";
  }
  test::write_file(folder / "a" / "predictions.jsonl", lines);
  test::write_file(folder / "b" / "predictions.jsonl", lines);
  auto const comparison = compare_runs(std::vector<std::filesystem::path>{folder / "a", folder / "b"});
  REQUIRE(comparison.runs[0].heads.size() == 2);
  for (auto const& head : comparison.runs[0].heads) {
    if (head.head == "topic") {
      CHECK(head.confusion.total() == 22);
      CHECK(head.mcc > 0);
    } else {
      CHECK(std::isnan(head.mean_absolute_error));
    }
  }
  std::string const text = compare_text(comparison, screen(80));
  CHECK(text.find("topic") != std::string::npos);
  CHECK(text.find("a prediction is not a number") != std::string::npos);
  CHECK(text.find("nan") == std::string::npos);
}

TEST_CASE("no line is wider than the terminal, no colours without them, nothing obeyed") {
  test::TemporaryFolder const folder;
  std::vector<std::filesystem::path> folders;
  for (int r = 0; r < 5; ++r) {
    Planted run;
    run.texts = 60 + r;
    run.steps = 30 + 200 * r;
    run.settings["seed"] = r;
    run.settings["model"] = "models/a very long path to a model \x1b[31m/\xe6\x98\xa0\xe7\x94\xbb" + std::to_string(r);
    folders.push_back(folder / ("run-with-a-long-name-" + std::to_string(r)));
    run.write(folders.back());
  }
  auto const comparison = compare_runs(folders);
  CHECK(comparison.tests.size() == 8);  // four runs against the first
  CompareOptions every;
  every.every_pair = true;
  every.bootstrap.resamples = 50;
  CHECK(compare_runs(folders, every).tests.size() == 20);
  for (int const width : {21, 30, 40, 57, 80, 100, 133, 200})
    for (bool const colors : {false, true})
      for (bool const unicode : {false, true}) {
        std::string const text = compare_text(comparison, screen(width, colors, unicode));
        INFO("width " << width << ", colours " << colors << ", Unicode " << unicode);
        if (!colors) CHECK(text.find('\x1b') == std::string::npos);
        CHECK(text.find("\x1b[31m/") == std::string::npos);
        for (auto const& line : lines_of(text)) {
          if (display_width(without_colors(line)) < width) continue;
          INFO(without_colors(line));
          CHECK(display_width(without_colors(line)) < width);
        }
        if (!unicode) CHECK(text.find("\xe2") == std::string::npos);
        CHECK(text.find("E against A") != std::string::npos);
      }
}

TEST_CASE("a curve is drawn where it is: corners, dots, letters, axes") {
  // Two rows of a rising line in braille: the lowest dot on the left, the highest on the right.
  PlotLine line{"A", {0, 100}, {1, 3}};
  auto const rows = lines_of(line_plot({line}, screen(24), "step", 3));
  REQUIRE(rows.size() == 5);
  CHECK(rows[0].rfind("3 \xe2\x94\xa4", 0) == 0);
  CHECK(rows[2].rfind("1 \xe2\x94\xa4\xe2\xa3\x80", 0) == 0);  // U+28C0: both lowest dots
  CHECK(rows[0].substr(rows[0].size() - 2) == " A");
  CHECK(rows[4].find("step 100") != std::string::npos);
  auto const letters = lines_of(line_plot({line}, screen(24, false, false), "step", 3));
  CHECK(letters[2].rfind("1 +A", 0) == 0);
  CHECK(letters[0].find("A A") != std::string::npos);
  CHECK(letters[3].rfind("  +---", 0) == 0);
  // A constant, one point, points that are not finite: drawn or left out, never a failure.
  CHECK_FALSE(line_plot({{"A", {1, 2, 3}, {5, 5, 5}}}, screen(40), "step").empty());
  CHECK_FALSE(line_plot({{"A", {1}, {0}}}, screen(40), "step").empty());
  CHECK(line_plot({{"A", {1, 2}, {std::nan(""), INFINITY}}}, screen(40), "step").empty());
  CHECK(line_plot({}, screen(40), "step").empty());
  CHECK(line_plot({line}, screen(8), "step").empty());
  // Colours: all in one drawing; without them one for each.
  PlotLine const second{"B", {0, 50}, {3, 2}};
  CHECK(lines_of(line_plot({line, second}, screen(40, true), "step", 7)).size() == 9);
  CHECK(lines_of(line_plot({line, second}, screen(40), "step", 7)).size() == 12);
  // Ends at the same height: both letters are there.
  std::string const close = line_plot({line, {"B", {0, 100}, {2, 3}}}, screen(40, true), "step", 7);
  CHECK(close.find("mA") != std::string::npos);
  CHECK(close.find("mB") != std::string::npos);
}

namespace {

std::size_t count(std::string const& text, std::string const& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + part.size())) ++found;
  return found;
}

}  // namespace

TEST_CASE("the page of a comparison: everything in it, self-contained, and text stays text") {
  test::TemporaryFolder const folder;
  Planted a, b;
  b.settings["model"] = "<script>alert(1)</script>\" onload='x'";
  b.texts = 150;
  b.steps = 3000;
  a.write(folder / "a & <b>");
  b.write(folder / "b");
  auto const comparison = compare_runs(std::vector<std::filesystem::path>{folder / "a & <b>", folder / "b"});
  write_compare_html(folder / "compare.html", comparison);
  std::string const page = test::read_file(folder / "compare.html");
  CHECK(page == compare_html(comparison));
  CHECK(page.find("<script") == std::string::npos);
  CHECK(page.find("&lt;script&gt;") != std::string::npos);
  CHECK(page.find("/a &amp; &lt;b&gt;") != std::string::npos);
  CHECK(page.find("http://") == std::string::npos);
  CHECK(page.find("https://") == std::string::npos);
  CHECK(page.find("default-src 'none'") != std::string::npos);
  CHECK(page.find("The test sets differ") != std::string::npos);
  CHECK(page.find("only B on 0: p = 1.00") != std::string::npos);
  for (char const* tag :
       {"table", "tbody", "tr", "td", "ul", "li", "figure", "svg", "main", "div", "p", "h2", "h3", "text"}) {
    INFO(tag);
    CHECK(count(page, std::string("<") + tag + ">") + count(page, std::string("<") + tag + " ") ==
          count(page, std::string("</") + tag + ">"));
  }
  CHECK(count(page, "<figure>") == 5);  // accuracy, error, ROC, two losses
  CHECK(count(page, "<circle") == 4);
  CHECK(count(page, "<polyline") == 6);
  CHECK(page.find("nan") == std::string::npos);
  CHECK(page.find("inf") == std::string::npos);
  CHECK(page.size() < 200000);  // 3000 steps are drawn as the columns of a drawing
  CHECK_FALSE(compare_html(compare_runs(std::vector<RunRecord>(3))).empty());
}

TEST_CASE("the axes of the page have round numbers") {
  CHECK(detail::ticks({0, 1}) == std::vector<double>{0, 0.2, 0.4, 0.6000000000000001, 0.8, 1});
  CHECK(detail::ticks({1, 1563}) == std::vector<double>{500, 1000, 1500});
  for (double const high : {1e-6, 0.3, 7.0, 1e9}) {
    auto const ticks = detail::ticks({-high / 3, high});
    CHECK(ticks.size() >= 3);
    CHECK(ticks.size() <= 8);
    for (double const tick : ticks) CHECK((tick >= -high / 3 * 1.0001 && tick <= high * 1.0001));
  }
}

TEST_CASE("a comparison as JSON") {
  test::TemporaryFolder const folder;
  Planted a, b;
  b.right = [](int i) { return i % 10 != 0; };
  b.settings["lr"] = 3e-5;
  a.write(folder / "a");
  b.write(folder / "b");
  auto const comparison = compare_runs(std::vector<std::filesystem::path>{folder / "a", folder / "b"});
  auto const json = nlohmann::json::parse(to_json(comparison).dump());
  CHECK(json.at("runs").size() == 2);
  CHECK(json.at("runs")[1].at("letter") == "B");
  CHECK(json.at("runs")[1].at("heads").at("is_positive").at("accuracy") == 0.9);
  CHECK(json.at("runs")[0].at("heads").at("star_rating").at("mean_absolute_error").get<double>() == Approx(0.797));
  CHECK(json.at("runs")[0].at("steps") == 20);
  CHECK(json.at("settings").at("lr") == nlohmann::json{"1e-05", "3e-05"});
  CHECK(json.at("common_texts") == 200);
  auto const& test = json.at("tests")[0];
  CHECK(test.at("head") == "is_positive");
  CHECK(test.at("better") == "B");
  CHECK(test.at("only_second_right") == 20);
  CHECK(test.at("test") == "McNemar, exact");
  CHECK(json.at("tests")[1].at("better").is_null());
  CHECK(json.at("notes").empty());
}

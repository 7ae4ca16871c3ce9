// docs/errors.md has a section for every error number of the library, and none for a number that nothing uses.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "support/catch.hpp"

namespace fs = std::filesystem;

namespace {

std::string read(fs::path const& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// Numbers in a source text: `Error(231, ...)`, `Error{231, ...}`, `Error error(231, ...)`; `fail(231, ...)`, that is a call
/// by a name like it; any argument that is a number of three digits followed by a text; "hone-E231".
std::set<int> numbers_in(std::string const& text) {
  static std::regex const call(
      R"((Error(?:\s+\w+)?\s*[({]\s*|\w+\(\s*|[(,{]\s*|hone-E)([1-9][0-9][0-9])(?![0-9.])(\s*,\s*(?:std::string\(|")?)?)");
  static std::regex const thrower(R"(.*(fail|error|refuse|reject|throw|damaged|problem|complain|bad).*\(\s*)");
  std::set<int> numbers;
  for (std::sregex_iterator match(text.begin(), text.end(), call), end; match != end; ++match) {
    std::string const before = (*match)[1], after = (*match)[3];
    bool const error = before.rfind("Error", 0) == 0 || before == "hone-E" || std::regex_match(before, thrower);
    bool const message = after.find('"') != std::string::npos || after.find('(') != std::string::npos;
    if (error || message) numbers.insert(std::stoi((*match)[2]));
  }
  static std::regex const choice(R"(\?\s*([1-9][0-9][0-9])\s*:\s*([1-9][0-9][0-9])\s*,)");  // Error(a ? 621 : 620, ...)
  for (std::sregex_iterator match(text.begin(), text.end(), choice), end; match != end; ++match) {
    numbers.insert({std::stoi((*match)[1]), std::stoi((*match)[2])});
  }
  return numbers;
}

/// The source of library and examples, by path.
std::map<std::string, std::string> sources() {
  std::map<std::string, std::string> texts;
  for (char const* folder : {"include", "examples"}) {
    for (auto const& entry : fs::recursive_directory_iterator(fs::path(HONE_SOURCE_DIR) / folder)) {
      auto const extension = entry.path().extension();
      if (extension != ".hpp" && extension != ".cpp" && extension != ".cuh" && extension != ".cu") continue;
      if (entry.path().filename() == "error.hpp") continue;  // its doc block has an example that is used nowhere
      texts[fs::relative(entry.path(), HONE_SOURCE_DIR).generic_string()] = read(entry.path());
    }
  }
  return texts;
}

/// The numbers of errors, each with one file that uses it.
std::map<int, std::string> used_numbers() {
  std::map<int, std::string> used;
  for (auto const& [path, text] : sources()) {
    for (int number : numbers_in(text)) used.emplace(number, path);
  }
  return used;
}

/// The section numbers of docs/errors.md in their order, with the text of each section.
std::vector<std::pair<int, std::string>> sections() {
  std::istringstream text(read(fs::path(HONE_SOURCE_DIR) / "docs" / "errors.md"));
  std::vector<std::pair<int, std::string>> found;
  static std::regex const title(R"(^## E([0-9]+): .+$)");
  for (std::string line; std::getline(text, line);) {
    std::smatch match;
    if (std::regex_match(line, match, title)) {
      found.emplace_back(std::stoi(match[1]), "");
    } else if (!found.empty()) {
      found.back().second += line + "\n";
    }
  }
  return found;
}

}  // namespace

TEST_CASE("the search finds every spelling of an error number") {
  CHECK(numbers_in(R"(throw Error(231, "x", {}, "y");)") == std::set<int>{231});
  CHECK(numbers_in(R"(throw hone::Error{402, "x"};)") == std::set<int>{402});
  CHECK(numbers_in("Error const e; Error error(\n    310, text, {}, next);") == std::set<int>{310});
  CHECK(numbers_in(R"(fail(233, where, "cut off"); open(234, "no"); check(ids, n, 414, "x");)") ==
        std::set<int>{233, 234, 414});
  CHECK(numbers_in("static_assert(ok, \"[hone-E102] no\");") == std::set<int>{102});
  CHECK(numbers_in("throw Error(a.empty() ? 621 : 620, text);") == std::set<int>{620, 621});
  CHECK(numbers_in("add_ids(ids, 415, what)").empty());
  CHECK(numbers_in("reserve(512); x(100, 200); y(128.0, \"a\"); z(1000, \"b\");").empty());
}

TEST_CASE("every error number has a section in docs/errors.md") {
  auto const used = used_numbers();
  REQUIRE(!used.empty());
  std::set<int> documented;
  for (auto const& section : sections()) documented.insert(section.first);
  for (auto const& [number, file] : used) {
    INFO("E" << number << " is used in " << file << " and has no section '## E" << number << ": title' in docs/errors.md");
    CHECK(documented.count(number) == 1);
  }
}

TEST_CASE("every error at compile time has a file in tests/compile_fail that expects it") {
  std::string expectations;
  for (auto const& entry : fs::directory_iterator(fs::path(HONE_SOURCE_DIR) / "tests" / "compile_fail")) {
    if (entry.path().extension() == ".cpp") expectations += read(entry.path()).substr(0, 100);
  }
  for (auto const& [number, file] : used_numbers()) {
    if (number >= 200) break;
    INFO("E" << number << " is used in " << file);
    CHECK(expectations.find("hone-E" + std::to_string(number)) != std::string::npos);
  }
}

TEST_CASE("every section of docs/errors.md is used, once, in order, and says something") {
  auto const found = sections();
  REQUIRE(!found.empty());
  std::string code;
  for (auto const& [path, text] : sources()) code += text;
  int previous = 0;
  for (auto const& [number, text] : found) {
    INFO("section E" << number);
    CHECK(number > previous);
    CHECK(std::regex_search(code, std::regex("(^|[^0-9.])" + std::to_string(number) + "[^0-9.]")));
    CHECK(text.size() > 80);
    previous = number;
  }
}

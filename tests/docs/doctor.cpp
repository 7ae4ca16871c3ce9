// The numbers of findings: those in the code and those in docs/doctor.md agree.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"

namespace fs = std::filesystem;

namespace {

std::string read(fs::path const& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

/// The numbers that code gives findings: "D12" as a string of its own.
std::set<std::string> numbers_in(std::string const& text) {
  static std::regex const number(R"re("(D[0-9]{2})")re");
  std::set<std::string> numbers;
  for (std::sregex_iterator match(text.begin(), text.end(), number), end; match != end; ++match) numbers.insert((*match)[1]);
  return numbers;
}

/// The numbers that files of a folder use, each with one of them.
std::map<std::string, std::string> used_in(char const* folder) {
  std::map<std::string, std::string> used;
  for (auto const& entry : fs::recursive_directory_iterator(fs::path(HONE_SOURCE_DIR) / folder)) {
    auto const extension = entry.path().extension();
    if (extension != ".hpp" && extension != ".cpp") continue;
    for (auto const& number : numbers_in(read(entry.path()))) used.emplace(number, entry.path().filename().string());
  }
  return used;
}

/// The sections of docs/doctor.md in their order, each with its text.
std::vector<std::pair<std::string, std::string>> sections() {
  std::istringstream text(read(fs::path(HONE_SOURCE_DIR) / "docs" / "doctor.md"));
  std::vector<std::pair<std::string, std::string>> found;
  static std::regex const title(R"(^## (D[0-9]{2}): .+$)");
  bool inside = false;
  for (std::string line; std::getline(text, line);) {
    std::smatch match;
    if (std::regex_match(line, match, title)) {
      found.emplace_back(match[1], "");
      inside = true;
    } else if (line.rfind("## ", 0) == 0) {
      inside = false;
    } else if (inside) {
      found.back().second += line + "\n";
    }
  }
  return found;
}

}  // namespace

TEST_CASE("the search finds a number that is given, and not one that is spoken of") {
  CHECK(numbers_in(R"(Finding finding{"D12", Severity::ok};)") == std::set<std::string>{"D12"});
  CHECK(numbers_in(R"(finding("D15", n); "see D22 and D23"; // D60)") == std::set<std::string>{"D15"});
}

TEST_CASE("every finding has a section in docs/doctor.md, and a test") {
  std::set<std::string> documented;
  for (auto const& section : sections()) documented.insert(section.first);
  auto const used = used_in("include/hone/train"), tested = used_in("tests/unit");
  CHECK(used.size() >= 20);
  for (auto const& [number, file] : used) {
    INFO(number << " is given in " << file);
    CHECK(documented.count(number) == 1);
    CHECK(tested.count(number) == 1);
  }
}

TEST_CASE("every section is of a finding, once, in order, and says what it means, why it matters and what to do") {
  auto const used = used_in("include/hone/train");
  std::string previous;
  for (auto const& [number, text] : sections()) {
    INFO("section " << number);
    CHECK(used.count(number) == 1);
    CHECK(previous < number);
    for (char const* part : {"**Means.**", "**Matters.**", "**Do.**"}) CHECK(text.find(part) != std::string::npos);
    previous = number;
  }
}

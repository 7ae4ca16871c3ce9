// The rules of the house, read from the source: which folder may include which, umbrellas that forget nothing, sizes, guards.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"

namespace fs = std::filesystem;

namespace {

/// The ladder: a folder includes only folders before it. docs/architecture.md draws it.
std::vector<std::string> const ladder{"core",  "ops",   "generic", "cpu", "thrust", "cuda",   "layers",  "heads", "loss",
                                      "optim", "text",  "io",      "metrics", "data", "models", "testing", "train", "report"};

/// Folders that are useful alone and include core/ at most (and io/ includes text/ as little as text/ includes ops/).
std::set<std::string> const alone{"text", "io", "metrics"};

/// Folders for devices: hone.hpp never reaches them. testing/ may include them, for the emulator of a device.
std::set<std::string> const device{"thrust", "cuda"};

/// Umbrellas for host code. hone.hpp is what every program needs; the others are included by name.
std::set<std::string> const umbrellas{"hone.hpp", "doctor.hpp", "report.hpp", "testing.hpp"};

struct Header {
  std::vector<std::string> lines{};
  std::vector<std::string> includes{};  // of the library itself, as "core/error.hpp"
  std::set<std::string> system{};       // in angle brackets
};

std::map<std::string, Header> read_headers() {
  fs::path const root = fs::path(HONE_SOURCE_DIR) / "include" / "hone";
  std::map<std::string, Header> headers;
  for (auto const& entry : fs::recursive_directory_iterator(root)) {
    auto const extension = entry.path().extension();
    if (extension != ".hpp" && extension != ".cuh" && extension != ".inl") continue;
    Header header;
    std::ifstream file(entry.path());
    for (std::string line; std::getline(file, line);) {
      header.lines.push_back(line);
      if (line.rfind("#include \"hone/", 0) == 0) header.includes.push_back(line.substr(15, line.find('"', 15) - 15));
      if (line.rfind("#include <", 0) == 0) header.system.insert(line.substr(10, line.find('>') - 10));
      if (line.rfind("#include \"", 0) == 0 && line.rfind("#include \"hone/", 0) != 0) {
        header.includes.push_back("(not spelled \"hone/...\") " + line);
      }
    }
    headers[fs::relative(entry.path(), root).generic_string()] = header;
  }
  return headers;
}

std::string folder_of(std::string const& header) {
  auto const slash = header.find('/');
  return slash == std::string::npos ? "" : header.substr(0, slash);
}

int rung_of(std::string const& folder) {
  auto const found = std::find(ladder.begin(), ladder.end(), folder);
  return found == ladder.end() ? -1 : static_cast<int>(found - ladder.begin());
}

/// What is wrong with `from` including `to`; empty: nothing.
std::string complaint(std::string const& from, std::string const& to) {
  std::string const a = folder_of(from), b = folder_of(to);
  if (from == "cuda.cuh" || (umbrellas.count(from) && !device.count(b))) return "";
  if (a.empty() || b.empty()) {
    return b.empty() && !umbrellas.count(to) && to != "cuda.cuh" ? "" : from + " includes " + to;
  }
  if (rung_of(a) < 0) return from + " is in a folder that is not on the ladder";
  if (rung_of(b) < 0) return from + " includes " + to + ", which does not exist on the ladder";
  if (a == b) return "";
  if (alone.count(a) && b != "core") return from + " includes " + to + ", and " + a + "/ includes core/ alone";
  if (rung_of(b) > rung_of(a)) return from + " includes " + to + ", up the ladder";
  if (device.count(b) && !device.count(a) && a != "testing") return from + " includes " + to + ", which is for devices";
  return "";
}

std::set<std::string> reachable(std::map<std::string, Header> const& headers, std::string const& from) {
  std::set<std::string> seen;
  std::vector<std::string> open{from};
  while (!open.empty()) {
    std::string const header = open.back();
    open.pop_back();
    if (!seen.insert(header).second || !headers.count(header)) continue;
    for (auto const& next : headers.at(header).includes) open.push_back(next);
  }
  return seen;
}

std::string join(std::vector<std::string> const& lines) {
  std::ostringstream out;
  for (auto const& line : lines) out << "\n  " << line;
  return out.str();
}

}  // namespace

TEST_CASE("a folder includes only folders before it") {
  auto const headers = read_headers();
  REQUIRE(headers.size() > 5);
  std::vector<std::string> wrong;
  for (auto const& [name, header] : headers) {
    for (auto const& included : header.includes) {
      auto const text = complaint(name, included);
      if (!text.empty()) wrong.push_back(text);
      if (!headers.count(included)) wrong.push_back(name + " includes " + included + ", which does not exist");
    }
  }
  INFO(join(wrong));
  CHECK(wrong.empty());
}

TEST_CASE("the check of the ladder sees a step up") {
  CHECK(complaint("core/error.hpp", "ops/linear.hpp") == "core/error.hpp includes ops/linear.hpp, up the ladder");
  CHECK(complaint("ops/linear.hpp", "core/error.hpp").empty());
  CHECK(complaint("ops/linear.hpp", "ops/rows.hpp").empty());
  CHECK(!complaint("io/safetensors.hpp", "text/unicode.hpp").empty());
  CHECK(complaint("io/safetensors.hpp", "core/error.hpp").empty());
  CHECK(!complaint("core/error.hpp", "hone.hpp").empty());
  CHECK(!complaint("report/loggers.hpp", "doctor.hpp").empty());
  CHECK(complaint("report.hpp", "report/loggers.hpp").empty());
  CHECK(complaint("core/error.hpp", "version.hpp").empty());
  CHECK(complaint("hone.hpp", "train/trainer.hpp").empty());
  CHECK(!complaint("hone.hpp", "cuda/warp.hpp").empty());
  CHECK(complaint("cuda.cuh", "cuda/warp.hpp").empty());
  CHECK(complaint("cuda.cuh", "hone.hpp").empty());
  CHECK(!complaint("cuda/warp.hpp", "cuda.cuh").empty());
  CHECK(complaint("cuda/rung.hpp", "core/backend.hpp").empty());
  CHECK(!complaint("layers/linear.hpp", "cuda/rung.hpp").empty());
  CHECK(!complaint("cpu/linear.hpp", "cuda/rung.hpp").empty());
  CHECK(complaint("testing/cuda_emulator.hpp", "cuda/rung.hpp").empty());
}

TEST_CASE("includes have no circle") {
  auto const headers = read_headers();
  std::vector<std::string> circles;
  for (auto const& [name, header] : headers) {
    for (auto const& included : header.includes) {
      if (reachable(headers, included).count(name)) circles.push_back(name + " -> " + included + " -> ... -> " + name);
    }
  }
  INFO(join(circles));
  CHECK(circles.empty());
}

TEST_CASE("umbrellas reach every header, each what it is for") {
  auto const headers = read_headers();
  std::set<std::string> inside;
  for (auto const& umbrella : umbrellas) {
    REQUIRE(headers.count(umbrella) == 1);
    inside.merge(reachable(headers, umbrella));
  }
  std::set<std::string> emulator;  // what a header of testing/ for a device stands on
  for (auto const& [name, header] : headers) {
    auto const below = reachable(headers, name);
    bool const for_device = std::any_of(below.begin(), below.end(), [](auto const& b) { return device.count(folder_of(b)); });
    if (folder_of(name) == "testing" && for_device) emulator.insert(below.begin(), below.end());
  }
  std::vector<std::string> wrong;
  for (auto const& [name, header] : headers) {
    std::string why;  // it is left out
    if (folder_of(name) == "testing" && emulator.count(name) && !inside.count(name)) continue;
    if (name.size() > 4 && name.compare(name.size() - 4, 4, ".cuh") == 0) why = " is for nvcc";
    for (auto const& below : reachable(headers, name)) {
      if (device.count(folder_of(below))) why = " includes " + below + ", which is for devices";
      if (headers.count(below) && headers.at(below).system.count("archive.h")) why = " needs libarchive";
      if (headers.count(below) && headers.at(below).system.count("Eigen/Core")) why = " needs Eigen";
    }
    if (why.empty() == (inside.count(name) == 0)) {
      wrong.push_back(name + (why.empty() ? " is in no umbrella" : why + " and is in an umbrella"));
    }
  }
  // What every program includes has nothing of what only some need; what those need has an umbrella of its own.
  for (auto const& name : reachable(headers, "hone.hpp")) {
    bool const doctor = name.rfind("train/doctor", 0) == 0 && name != "train/doctor_text.hpp";
    if (doctor || folder_of(name) == "report" || folder_of(name) == "testing") wrong.push_back(name + " is in hone.hpp");
  }
  for (auto const& [umbrella, folder] : {std::pair{"report.hpp", "report"}, std::pair{"testing.hpp", "testing"}})
    for (auto const& included : headers.at(umbrella).includes)
      if (folder_of(included) != folder) wrong.push_back(std::string(umbrella) + " includes " + included);
  INFO(join(wrong));
  CHECK(wrong.empty());
}

TEST_CASE("the umbrella of devices reaches what is for them, and no test support") {
  auto const headers = read_headers();
  REQUIRE(headers.count("cuda.cuh") == 1);
  auto const inside = reachable(headers, "cuda.cuh");
  CHECK(inside.count("hone.hpp") == 1);
  std::vector<std::string> wrong;
  for (auto const& [name, header] : headers) {
    if (folder_of(name) == "cuda" && !inside.count(name)) wrong.push_back(name + " is not in cuda.cuh");
  }
  for (auto const& name : inside) {
    if (name.find("emulator") != std::string::npos) wrong.push_back(name + " is in cuda.cuh");
  }
  INFO(join(wrong));
  CHECK(wrong.empty());
}

TEST_CASE("every header has a guard, at most 600 lines, and lines of at most 125 characters") {
  std::vector<std::string> wrong;
  for (auto const& [name, header] : read_headers()) {
    bool const again = name.size() > 4 && name.compare(name.size() - 4, 4, ".inl") == 0;  // included again and again
    if (std::count(header.lines.begin(), header.lines.end(), "#pragma once") != (again ? 0 : 1))
      wrong.push_back(name + (again ? ": #pragma once" : ": no #pragma once"));
    if (header.lines.size() > 600) wrong.push_back(name + ": " + std::to_string(header.lines.size()) + " lines");
    for (std::size_t i = 0; i < header.lines.size(); ++i) {
      std::string const& line = header.lines[i];
      bool const url = line.find("http") != std::string::npos;
      auto const characters = std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xC0) != 0x80; });
      std::string const place = name + ":" + std::to_string(i + 1);
      // An #error has to be on one line.
      if (characters > 125 && !url && line.rfind("#error", 0) != 0) wrong.push_back(place + ": " + std::to_string(characters));
      if (line.find('\t') != std::string::npos) wrong.push_back(place + ": tab");
      if (!line.empty() && (line.back() == ' ' || line.back() == '\r')) wrong.push_back(place + ": space at the end");
    }
  }
  INFO(join(wrong));
  CHECK(wrong.empty());
}

TEST_CASE("public names are in namespace hone, and no backend folder is a namespace") {
  std::vector<std::string> wrong;
  for (auto const& [name, header] : read_headers()) {
    bool inside = false, code = false;  // a header that only includes others needs no namespace
    for (auto const& line : header.lines) {
      if (line.rfind("namespace hone", 0) == 0) inside = true;
      code = code || (!line.empty() && line[0] != '#' && line.rfind("//", 0) != 0);
      for (char const* bad : {"namespace hone::thrust", "namespace hone::cuda", "using namespace"}) {
        if (line.rfind(bad, 0) == 0) wrong.push_back(name + ": " + line);
      }
    }
    if (code && !inside) wrong.push_back(name + ": opens no namespace hone");
  }
  INFO(join(wrong));
  CHECK(wrong.empty());
}

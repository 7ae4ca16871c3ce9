// The framing of a Weights & Biases log: bytes as the real package reads them, sizes about the borders of blocks, torn ends.
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "hone/core/md5.hpp"
#include "hone/report/protobuf.hpp"
#include "hone/report/wandb_file.hpp"
#include "support/catch.hpp"
#include "support/error_matcher.hpp"
#include "support/temporary_folder.hpp"

namespace fs = std::filesystem;
using hone::detail::ProtobufWriter;
using hone::detail::wandb::FileScanner;
using hone::detail::wandb::LogFile;
using hone::test::error_number;
using hone::test::TemporaryFolder;

namespace {

std::string content(fs::path const& path) { return hone::test::read_file(path); }

std::vector<std::string> records(fs::path const& path) {
  hone::InputFile const file(path);
  std::vector<std::string> found;
  FileScanner(file).scan([&](std::uint64_t, std::string_view record) { found.emplace_back(record); });
  return found;
}

/// A record that no other one is equal to.
std::string payload(std::size_t size, int seed) {
  std::string bytes(size, '\0');
  std::uint32_t state = 12345u + static_cast<std::uint32_t>(seed);
  for (auto& byte : bytes) byte = static_cast<char>((state = state * 1664525u + 1013904223u) >> 24);
  return bytes;
}

std::string file_of(fs::path const& path, std::vector<std::size_t> const& sizes) {
  LogFile log(path);
  for (std::size_t i = 0; i < sizes.size(); ++i) log.add(payload(sizes[i], static_cast<int>(i)));
  return content(path);
}

}  // namespace

TEST_CASE("three records have the bytes that the real package wrote and read") {
  TemporaryFolder const folder;
  {
    LogFile log(folder / "run.wandb");
    ProtobufWriter run, run_record;
    run.text(1, "r1").text(3, "p").message(17, ProtobufWriter().integer(1, 1700000000));
    log.add(run_record.integer(1, 1).message(17, run).bytes());
    auto item = [](char const* key, char const* json) { return ProtobufWriter().text(1, key).text(16, json); };
    ProtobufWriter history;
    history.message(1, item("loss", "0.5")).message(1, item("_step", "0")).message(2, ProtobufWriter());
    log.add(ProtobufWriter().integer(1, 2).message(2, history).bytes());
    log.add(ProtobufWriter().integer(1, 3).message(18, ProtobufWriter()).bytes());
  }
  CHECK(hone::detail::hexadecimal(content(folder / "run.wandb")) ==
        "3a572642e1be0080381ae615000108018a01100a0272311a01708a01060880e2"
        "cfaa06061773fc2100010802121d0a0c0a046c6f7373820103302e350a0b0a05"
        "5f73746570820101301200f6cbd7bf0500010803920100");
}

TEST_CASE("records of sizes about the borders of blocks come back") {
  TemporaryFolder const folder;
  auto const path = folder / "run.wandb";
  for (std::size_t const last_free : {0, 1, 6, 7, 8, 13}) {  // bytes that the first record leaves free in its block
    for (std::size_t const second : {0, 1, 7, 8, 32754, 32755, 32761, 32762, 65522, 65523, 100000}) {
      auto const bytes = file_of(path, {32754 - last_free, second, 5});
      INFO(last_free << " free, then " << second);
      auto const found = records(path);
      REQUIRE(found.size() == 3);
      CHECK(found[0] == payload(32754 - last_free, 0));
      CHECK(found[1] == payload(second, 1));
      CHECK(found[2] == payload(5, 2));
      if (last_free > 0 && last_free < 7) CHECK(bytes.substr(32768 - last_free, last_free) == std::string(last_free, '\0'));
      if (last_free == 7) CHECK(bytes[32767] == (second == 0 ? 1 : 2));  // the type of a chunk without bytes
    }
  }
  file_of(path, {0, 1, 32754, 32755, 1000000});
  CHECK(records(path).size() == 5);
  file_of(path, {});
  CHECK(records(path).empty());
}

TEST_CASE("a record torn at any byte is cut off, and the log goes on") {
  TemporaryFolder const folder;
  auto const path = folder / "run.wandb";
  // The last record is in one chunk, over a border, after padding, and after a chunk without bytes.
  for (auto const& sizes : std::vector<std::vector<std::size_t>>{
           {40, 100, 60}, {40, 32660, 200}, {40, 32704, 30}, {40, 32700, 30}, {40, 32697, 30}, {}}) {
    auto const whole = file_of(path, sizes);
    auto const before = sizes.empty() ? std::string() : file_of(path, {sizes.begin(), sizes.end() - 1});
    INFO("sizes end with " << (sizes.empty() ? 0 : sizes[1]));
    for (std::size_t size = before.size(); size <= whole.size(); ++size) {
      hone::test::write_file(path, whole.substr(0, size));
      {
        LogFile log(path, LogFile::Open::append);
        std::size_t const kept = size == whole.size() ? whole.size() : before.size();
        REQUIRE(log.torn() == (size == whole.size() ? 0 : size - before.size()));
        if (kept > 0) REQUIRE(log.records() == static_cast<int>(sizes.size()) - (kept == whole.size() ? 0 : 1));
        log.add("next");
      }
      auto const found = records(path);
      REQUIRE(found.size() == sizes.size() + (size == whole.size() || sizes.empty() ? 1 : 0));
      REQUIRE(found.back() == "next");
      if (size != whole.size() && !sizes.empty()) {
        // The same bytes as if nothing had happened.
        std::string expected = before;
        hone::detail::wandb::frame_record(expected, expected.size(), "next");
        REQUIRE(content(path) == expected);
      }
    }
  }
}

TEST_CASE("a torn record of many blocks is cut off") {
  TemporaryFolder const folder;
  auto const path = folder / "run.wandb";
  auto const before = file_of(path, {40});
  auto const whole = file_of(path, {40, 150000});
  for (std::size_t size = before.size(); size < whole.size(); size += size % 32768 < 40 || size % 32768 > 32720 ? 1 : 997) {
    hone::test::write_file(path, whole.substr(0, size));
    LogFile const log(path, LogFile::Open::append);
    REQUIRE(log.size() == before.size());
    REQUIRE(log.records() == 1);
  }
}

TEST_CASE("zeros and rubbish at the end are cut off") {
  TemporaryFolder const folder;
  auto const path = folder / "run.wandb";
  auto const whole = file_of(path, {40, 100});
  for (auto const& rubbish : {std::string(5, '\0'), std::string(40000, '\0'), payload(300, 7), payload(70000, 8)}) {
    hone::test::write_file(path, whole + rubbish);
    LogFile const log(path, LogFile::Open::append);
    CHECK(log.torn() == rubbish.size());
    CHECK(log.records() == 2);
    CHECK(content(path) == whole);
  }
}

TEST_CASE("damage that is followed by whole records is not cut off") {
  TemporaryFolder const folder;
  auto const path = folder / "run.wandb";
  for (auto const& sizes : std::vector<std::vector<std::size_t>>{{40, 100, 60}, {40, 70000, 60}, {32754, 100, 60}}) {
    auto const whole = file_of(path, sizes);
    auto const start = file_of(path, {sizes[0]}).size();
    for (std::size_t at = start; at < start + 107; ++at) {
      auto damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ 4);
      hone::test::write_file(path, damaged);
      INFO("byte " << at);
      CHECK(error_number([&] { LogFile log(path, LogFile::Open::append); }) == 747);
      CHECK(content(path) == damaged);
    }
  }
  // In the last record a flipped bit cannot be told from a torn write.
  auto damaged = file_of(path, {40, 100});
  damaged.back() = static_cast<char>(damaged.back() ^ 1);
  hone::test::write_file(path, damaged);
  CHECK(LogFile(path, LogFile::Open::append).records() == 1);
}

TEST_CASE("whole chunks in an order that no record has are damage") {
  TemporaryFolder const folder;
  auto const path = folder / "run.wandb";
  auto const whole = file_of(path, {32754, 70000, 5});  // a block each: full | first | middle | last, full
  for (auto const& [begin, size] : std::vector<std::pair<std::size_t, std::size_t>>{{1, 1}, {1, 2}, {0, 2}}) {
    auto bytes = whole;
    if (begin == 0)
      bytes = whole.substr(0, 2 * 32768) + whole.substr(0, 32768);  // first, then full
    else
      bytes.erase(begin * 32768, size * 32768);
    if (begin == 0) {
      std::string one;
      hone::detail::wandb::frame_record(one, 0, "one");
      bytes.replace(2 * 32768, one.size(), one);
    }
    hone::test::write_file(path, bytes);
    CHECK(error_number([&] { LogFile log(path, LogFile::Open::append); }) == 747);
    CHECK(content(path) == bytes);
  }
}

TEST_CASE("other files are refused and left alone") {
  TemporaryFolder const folder;
  auto const path = folder / "run.wandb";
  for (std::string const text : {"{\"loss\": 1}\n", ":W&C\xe1\xbe", ":W&B\xe1\xbe\x01"}) {
    hone::test::write_file(path, text);
    CHECK(error_number([&] { LogFile log(path, LogFile::Open::append); }) == 746);
    CHECK(content(path) == text);
  }
  LogFile const writer(path);
  CHECK(error_number([&] { LogFile log(path, LogFile::Open::append); }) == 708);
  CHECK(error_number([&] { LogFile log(folder / "no" / "run.wandb"); }) == 703);
}

// Event files: bytes, torn ends, damage, and what the logger leaves behind. What TensorBoard reads in them: readback/.
#include "hone/report/tensorboard_logger.hpp"

#include <map>
#include <string>
#include <vector>

#include "hone/report/loggers.hpp"
#include "support/catch.hpp"
#include "support/error_matcher.hpp"
#include "support/small_disk.hpp"
#include "support/temporary_folder.hpp"

using namespace hone;
using namespace hone::detail::tensorboard;
using hone::detail::ProtobufReader, hone::detail::masked_crc32c;
using test::error_number, test::read_file, test::write_file;
namespace fs = std::filesystem;

namespace {

std::string bytes_of(std::vector<int> const& bytes) { return {bytes.begin(), bytes.end()}; }

std::vector<std::string> records_of(fs::path const& path) {
  std::vector<std::string> records;
  InputFile const file(path);
  FileScanner(file).scan([&](std::string_view record) { records.emplace_back(record); });
  return records;
}
fs::path only_file(fs::path const& folder) {
  std::vector<fs::path> files;
  for (auto const& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
  REQUIRE(files.size() == 1);
  return files[0];
}
RunStart start_of(fs::path folder) {
  RunStart made;
  made.folder = std::move(folder);
  return made;
}
StepReport report(Index step) {
  StepReport made;
  made.step = step;
  made.losses = {{"is_positive", 0.5}};
  return made;
}
/// The tags of the values in an Event, with their scalars (NaN where they are none).
std::map<std::string, double> values_of(std::string const& event) {
  std::map<std::string, double> values;
  ProtobufReader fields(event);
  while (auto const field = fields.next()) {
    if (field->number != 5) continue;
    ProtobufReader summary(field->bytes);
    while (auto const value = summary.next()) {
      std::string tag;
      double number = std::nan("");
      ProtobufReader parts(value->bytes);
      while (auto const part = parts.next()) {
        if (part->number == 1) tag = std::string(part->bytes);
        if (part->number != 2) continue;
        auto const bits = static_cast<std::uint32_t>(part->value);
        float real = 0;
        std::memcpy(&real, &bits, sizeof real);
        number = double(real);
      }
      values[tag] = number;
    }
  }
  CHECK_FALSE(fields.broken());
  return values;
}

}  // namespace

TEST_CASE("a file has the bytes that TensorBoard's own reader takes") {
  // Read with PyRecordReader and event_pb2: file_version at 1700000000, then loss = 0.5 at step 7.
  std::string const golden =
      bytes_of({0x18, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xa3, 0x7f, 0x4b, 0x22, 0x09, 0x00, 0x00, 0x00, 0x40,
                0xfc, 0x54, 0xd9, 0x41, 0x1a, 0x0d, 0x62, 0x72, 0x61, 0x69, 0x6e, 0x2e, 0x45, 0x76, 0x65, 0x6e, 0x74,
                0x3a, 0x32, 0xec, 0xed, 0x8f, 0x9d, 0x1a, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x12, 0x9b, 0xd8,
                0x2d, 0x09, 0x00, 0x00, 0x40, 0x40, 0xfc, 0x54, 0xd9, 0x41, 0x10, 0x07, 0x2a, 0x0d, 0x0a, 0x0b, 0x0a,
                0x04, 0x6c, 0x6f, 0x73, 0x73, 0x15, 0x00, 0x00, 0x00, 0x3f, 0x36, 0x8f, 0xc0, 0x84});
  test::TemporaryFolder const folder;
  {
    EventFile file(folder / "events.out.tfevents.1");
    file.add(event(0, 1700000000).text(3, "brain.Event:2").bytes());
    Summary summary;
    summary.scalar("loss", 0.5);
    file.add(summary.event(7, 1700000001));
    CHECK(read_file(folder / "events.out.tfevents.1").empty());  // it is held back
    file.flush();
    CHECK(read_file(folder / "events.out.tfevents.1") == golden);
  }
  CHECK(records_of(folder / "events.out.tfevents.1").size() == 2);
}

TEST_CASE("a torn end is cut off, wherever it was torn, and the file goes on behind it") {
  test::TemporaryFolder const folder;
  fs::path const path = folder / "events.out.tfevents.1";
  std::vector<std::string> const all{"first", std::string(300, 'x'), "", "last one"};
  std::string whole;
  std::vector<std::size_t> ends{0};
  for (auto const& record : all) {
    frame_record(whole, record);
    ends.push_back(whole.size());
  }
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    INFO(size << " bytes of " << whole.size());
    write_file(path, whole.substr(0, size));
    std::size_t records = 0;
    while (records + 1 < ends.size() && ends[records + 1] <= size) ++records;
    auto const repaired = repair_event_files(folder.path());
    REQUIRE(repaired.size() == 1);
    REQUIRE(repaired[0].bytes_cut == size - ends[records]);
    { EventFile(path, EventFile::Open::append).add("new"); }
    auto expected = std::vector<std::string>(all.begin(), all.begin() + std::ptrdiff_t(records));
    expected.push_back("new");
    REQUIRE(records_of(path) == expected);
  }
  // What a lost power supply leaves: the size is there, the bytes are not.
  write_file(path, whole.substr(0, ends[2]) + std::string(5000, '\0'));
  CHECK(repair_event_files(folder.path())[0].bytes_cut == 5000);
  CHECK(records_of(path).size() == 2);
  std::string damaged = whole;
  damaged[whole.size() - 6] ^= 1;  // in the last record
  write_file(path, damaged);
  CHECK(repair_event_files(folder.path())[0].bytes_cut == whole.size() - ends[3]);
}

TEST_CASE("damage inside of a file is an error, and the file is left as it is") {
  test::TemporaryFolder const folder;
  fs::path const path = folder / "events.out.tfevents.1";
  std::string whole;
  for (int i = 0; i < 3; ++i) frame_record(whole, std::string(70000, char('a' + i)));
  for (std::size_t const at : {std::size_t{0}, std::size_t{9}, std::size_t{500}, std::size_t{70013}, whole.size() / 2}) {
    INFO("byte " << at);
    std::string damaged = whole;
    damaged[at] ^= 4;
    write_file(path, damaged);
    std::string text;
    CHECK(error_number([&] { repair_event_files(folder.path()); }, &text) == 741);
    CHECK(text.find("a whole record follows") != text.npos);
    CHECK(read_file(path) == damaged);
  }
  std::string lying(8, '\xff');  // a length beyond all memory, with the right checksum
  append_little_endian(lying, masked_crc32c(lying), 4);
  write_file(path, lying + "short");
  CHECK(repair_event_files(folder.path())[0].bytes_cut == lying.size() + 5);
}

TEST_CASE("one process writes to an event file") {
  test::TemporaryFolder const folder;
  EventFile const file(folder / "events.out.tfevents.1");
  CHECK(error_number([&] { EventFile again(folder / "events.out.tfevents.1"); }) == 708);
  CHECK(repair_event_files(folder.path()).empty());  // it is left alone
  CHECK(error_number([&] { EventFile other(folder / "absent" / "events"); }) == 703);
  CHECK(repair_event_files(folder / "absent").empty());
}

TEST_CASE("records that do not fit are taken back") {
  test::TemporaryFolder const folder;
  fs::path const path = folder / "events.out.tfevents.1";
  int const written = test::with_small_disk(1000, [&] {
    int flushed = 0;
    int const number = error_number([&] {
      EventFile file(path);
      for (;; ++flushed) {
        file.add(std::string(90, 'x'));
        file.flush();
      }
    });
    return number == 701 ? flushed : 100;
  });
  CHECK(written == 9);  // records of 106 bytes
  CHECK(fs::file_size(path) == 9 * 106);
  CHECK(records_of(path).size() == 9);
}

TEST_CASE("a run that shows nothing leaves nothing") {
  test::TemporaryFolder const folder;
  Loggers<TensorBoardLogger> loggers(LoggersOptions{.capacity = 10, .flush_seconds = 1, .system_seconds = 0.001});
  loggers.emplace<TensorBoardLogger>();
  loggers.start(start_of(folder.path()));
  loggers.message("hello");
  loggers.finish({});
  CHECK(fs::is_empty(folder.path()));
}

TEST_CASE("a step is one record with everything in it") {
  test::TemporaryFolder const folder;
  TensorBoardLogger logger;
  logger.start(start_of(folder.path()));
  auto step = report(3);
  step.losses = {{"is_positive", 0.5}, {"bad \xff name", std::nan("")}};
  step.accuracy = 0.75;
  step.learning_rate = 0.25;
  step.grad_norm = 5;
  step.group_norms = {{"layer.0", 4}};
  step.tokens = 100;
  step.seconds = 4;
  logger.step(step);
  step.accuracy = std::nan("");  // there is no classifying head
  step.seconds = 0;
  logger.step(step);
  logger.flush();
  auto const records = records_of(only_file(folder / "tensorboard"));
  REQUIRE(records.size() == 5);  // version, run, session, two steps
  auto const values = values_of(records[3]);
  CHECK(values.at("train/is_positive_loss") == 0.5);
  CHECK(std::isnan(values.at("train/bad \xEF\xBF\xBD name_loss")));
  CHECK(values.at("train/accuracy") == 0.75);
  CHECK(values.at("train/learning_rate") == 0.25);
  CHECK(values.at("train/grad_norm") == 5);
  CHECK(values.at("grad_norm/layer.0") == 4);
  CHECK(values.at("train/tokens_per_second") == 25);
  CHECK(values.at("train/epoch") == 0);
  CHECK(values_of(records[4]).count("train/accuracy") == 0);
  CHECK(values_of(records[4]).count("train/tokens_per_second") == 0);
  CHECK(values_of(records[1]).count("_hparams_/session_start_info") == 1);
}

TEST_CASE("histograms count every number once") {
  auto const histogram = [](std::vector<double> const& numbers, int buckets, double low, double high) {
    Summary summary;
    summary.histogram("h", numbers, buckets, low, high);
    std::vector<double> counts;
    std::string const event = summary.event(0, 0);
    ProtobufReader fields(event);
    while (auto const field = fields.next()) {
      if (field->number != 5) continue;
      auto const first = ProtobufReader(field->bytes).next();
      if (!first) continue;  // no value
      ProtobufReader value(first->bytes);
      while (auto const part = value.next()) {
        if (part->number != 5) continue;
        ProtobufReader parts(part->bytes);
        while (auto const some = parts.next())
          if (some->number == 7)
            for (std::size_t i = 0; i < some->bytes.size(); i += 8) {
              std::uint64_t const bits = little_endian(some->bytes.substr(i, 8));
              double count = 0;
              std::memcpy(&count, &bits, sizeof count);
              counts.push_back(count);
            }
      }
    }
    return counts;
  };
  CHECK(histogram({0, 0.5, 1, 0.25, 0.75}, 2, 0, 1) == std::vector<double>{3, 2});
  CHECK(histogram({3, 3, 3}, 3, 1, 0) == std::vector<double>{3, 0, 0});
  CHECK(histogram({1, 2, 3, 4, std::nan(""), HUGE_VAL}, 4, 1, 0) == std::vector<double>{1, 1, 1, 1});
  CHECK(histogram({std::nan("")}, 4, 1, 0).empty());
  CHECK(histogram({}, 4, 1, 0).empty());
  CHECK(histogram({-5, 9}, 2, 0, 1) == std::vector<double>{1, 1});  // outside: the first and the last
}

TEST_CASE("options out of range, and a folder that cannot be made") {
  CHECK(error_number([] { TensorBoardLogger logger({.thresholds = 1}); }) == 742);
  CHECK(error_number([] { TensorBoardLogger logger({.buckets = 0}); }) == 742);
  CHECK(error_number([] { TensorBoardLogger logger({.table_rows = -1}); }) == 742);
  test::TemporaryFolder const folder;
  write_file(folder / "tensorboard", "a file");
  TensorBoardLogger logger;
  logger.start(start_of(folder.path()));
  CHECK(error_number([&] { logger.step(report(1)); }) == 707);
}

TEST_CASE("a table has at most so many rows, and says how many there are") {
  TextTable table{"t", 0, {"a|b"}, {}};
  for (int i = 0; i < 5; ++i) table.rows.push_back({i});
  CHECK(markdown_table(table, 2) == "| a&#124;b |\n|---|\n| 0 |\n| 1 |\n\n2 of 5 rows\n");
  CHECK(markdown_table(table, 9).find("of 5 rows") == std::string::npos);
}

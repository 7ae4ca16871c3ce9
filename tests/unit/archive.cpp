#include "hone/data/archive.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <functional>
#include <map>

#include "support/archives.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

namespace fs = std::filesystem;
using hone::test::ArchiveEntry;
using hone::test::Packing;
using hone::test::TemporaryFolder;
using hone::test::write_archive;
using hone::test::write_file;

namespace {

struct Walk {
  std::vector<std::string> names;
  std::map<std::string, std::string> content;
  std::vector<hone::data::Problem> problems;
};

bool is_text(std::string_view name) { return name.size() > 4 && name.substr(name.size() - 4) == ".txt"; }

Walk walk(fs::path const& path, hone::data::FileLimits const& limits = {}) {
  Walk seen;
  seen.problems = hone::data::for_each_file(path, is_text, [&](std::string const& name, std::string content) {
    seen.names.push_back(name);
    seen.content[name] = std::move(content);
  }, limits);
  return seen;
}

hone::Error error_of(std::function<void()> const& action) {
  try {
    action();
  } catch (hone::Error const& error) {
    return error;
  }
  FAIL("no error");
  throw std::logic_error("not reached");
}

int number_of(fs::path const& path, hone::data::FileLimits const& limits = {}) {
  hone::Error const error = error_of([&] { walk(path, limits); });
  CHECK(error.where().file.rfind(path.string(), 0) == 0);  // and after it, where known, the file inside
  return error.number();
}

/// Text that does not compress to nothing, so that a cut falls into it.
std::string noise(std::size_t size, std::uint32_t seed) {
  std::string text(size, ' ');
  for (char& c : text) {
    seed = seed * 1664525u + 1013904223u;
    c = static_cast<char>('!' + (seed >> 24) % 90);
  }
  return text;
}

}  // namespace

TEST_CASE("every packing gives the same files, in the archive's order") {
  TemporaryFolder temporary;
  std::string const big = noise(300000, 1);
  std::vector<ArchiveEntry> const entries = {{"./b/2.txt", "two"}, {"a", "", AE_IFDIR}, {"a/1.txt", big}, {"a/x.bin", "no"},
                                             {"c//3.txt", ""}, {"d/\xC3\xA4.txt", "umlaut"}};
  for (Packing const packing : {Packing::tar, Packing::tar_gz, Packing::tar_xz, Packing::zip}) {
    fs::path const path = temporary / "archive";
    write_archive(path, entries, packing);
    Walk const seen = walk(path);
    CHECK(seen.names == std::vector<std::string>{"b/2.txt", "a/1.txt", "c/3.txt", "d/\xC3\xA4.txt"});
    CHECK(seen.content.at("a/1.txt") == big);
    CHECK(seen.content.at("c/3.txt").empty());
    CHECK(seen.problems.empty());
  }
}

TEST_CASE("a folder gives its files in the order of their names") {
  TemporaryFolder temporary;
  std::string const big = noise(200000, 2);
  write_file(temporary / "root/b/2.txt", "two");
  write_file(temporary / "root/a/deep/1.txt", big);
  write_file(temporary / "root/a/empty.txt", "");
  write_file(temporary / "root/other.bin", "x");
  Walk const seen = walk(temporary / "root");
  CHECK(seen.names == std::vector<std::string>{"a/deep/1.txt", "a/empty.txt", "b/2.txt"});
  CHECK(seen.content.at("a/deep/1.txt") == big);
  CHECK(seen.problems.empty());
}

TEST_CASE("odd things in a folder are reported and nothing hangs") {
  TemporaryFolder temporary;
  write_file(temporary / "root/a/1.txt", "one");
  REQUIRE(mkfifo((temporary / "root/a/fifo.txt").c_str(), 0600) == 0);
  fs::create_symlink("nowhere", temporary / "root/a/gone.txt");
  fs::create_symlink("self.txt", temporary / "root/a/self.txt");
  fs::create_symlink("1.txt", temporary / "root/a/link.txt");
  fs::create_directory_symlink("..", temporary / "root/a/circle");
  fs::create_directory_symlink("a", temporary / "root/z");
  Walk const seen = walk(temporary / "root");
  CHECK(seen.names == std::vector<std::string>{"a/1.txt", "a/link.txt"});
  std::vector<std::string> files;
  for (auto const& problem : seen.problems) files.push_back(problem.file);
  CHECK(files == std::vector<std::string>{"a/circle/", "a/fifo.txt", "a/gone.txt", "a/self.txt", "z/"});

  if (geteuid() != 0) {  // root may read everything
    fs::permissions(temporary / "root/a/1.txt", fs::perms::none);
    CHECK(walk(temporary / "root").names == std::vector<std::string>{});
    fs::permissions(temporary / "root/a", fs::perms::none);
    CHECK(error_of([&] { walk(temporary / "root"); }).number() == 281);
    fs::permissions(temporary / "root/a", fs::perms::owner_all);
  }
}

TEST_CASE("odd entries of an archive are reported and left out") {
  TemporaryFolder temporary;
  write_archive(temporary / "odd.tar",
                {{"/absolute/1.txt", "absolute"}, {"../out/2.txt", "out"}, {"a/../../3.txt", "out"}, {"a/..", "", AE_IFDIR},
                 {"a/link.txt", "", AE_IFLNK, "/etc/passwd"}, {"a/hard.txt", "", AE_IFREG, "absolute/1.txt", true},
                 {"a/fifo.txt", "", AE_IFIFO}, {"a/..4.txt", "dots in a name are fine"}},
                Packing::tar);
  Walk const seen = walk(temporary / "odd.tar");
  CHECK(seen.names == std::vector<std::string>{"absolute/1.txt", "a/..4.txt"});
  std::vector<std::string> files;
  for (auto const& problem : seen.problems) files.push_back(problem.file);
  CHECK(files == std::vector<std::string>{"../out/2.txt", "a/../../3.txt", "a/link.txt", "a/hard.txt", "a/fifo.txt"});
  CHECK_FALSE(fs::exists(temporary / "out"));
}

TEST_CASE("limits bound what one file and all files take") {
  TemporaryFolder temporary;
  std::vector<ArchiveEntry> const entries = {
      {"a.txt", std::string(1000, 'a')}, {"b.txt", std::string(1001, 'b')}, {"c.txt", "c"}};
  for (auto const& [name, packing] : {std::pair("x.tar.gz", Packing::tar_gz), std::pair("x.zip", Packing::zip)}) {
    write_archive(temporary / name, entries, packing);
    Walk const seen = walk(temporary / name, {.file = 1000});
    CHECK(seen.names == std::vector<std::string>{"a.txt", "c.txt"});
    REQUIRE(seen.problems.size() == 1);
    CHECK(seen.problems[0].file == "b.txt");
    CHECK(number_of(temporary / name, {.kept = 2000}) == 285);
    CHECK(walk(temporary / name, {.kept = 2002}).names.size() == 3);
  }
  for (auto const& entry : entries) write_file(temporary / "folder" / entry.name, entry.content);
  CHECK(walk(temporary / "folder", {.file = 1000}).names == std::vector<std::string>{"a.txt", "c.txt"});
  CHECK(number_of(temporary / "folder", {.kept = 2000}) == 285);

  // A small file that unpacks to much more: what is skipped counts too.
  write_archive(temporary / "bomb.tar.gz", {{"zeros.bin", std::string(8 << 20, '\0')}, {"a.txt", "a"}}, Packing::tar_gz);
  CHECK(fs::file_size(temporary / "bomb.tar.gz") < 20000);
  CHECK(number_of(temporary / "bomb.tar.gz", {.unpacked = 1 << 20}) == 285);
}

TEST_CASE("the list of problems is bounded") {
  TemporaryFolder temporary;
  std::vector<ArchiveEntry> entries;
  for (int i = 0; i < 1500; ++i) entries.push_back({"../" + std::to_string(i) + ".txt", ""});
  write_archive(temporary / "many.tar", entries, Packing::tar);
  Walk const seen = walk(temporary / "many.tar");
  REQUIRE(seen.problems.size() == 1001);
  CHECK(seen.problems.back().reason.find("500 more") != std::string::npos);
}

TEST_CASE("an archive that is cut off anywhere is an error") {
  TemporaryFolder temporary;
  std::vector<ArchiveEntry> const entries = {
      {"a.txt", noise(5000, 3)}, {"b.txt", noise(5000, 4)}, {"c.txt", noise(5000, 5)}};
  for (Packing const packing : {Packing::tar_gz, Packing::tar_xz, Packing::zip}) {
    write_archive(temporary / "whole", entries, packing);
    std::string const whole = hone::test::read_file(temporary / "whole");
    std::size_t const all = whole.size();
    for (std::size_t const size : {all - 1, all - 9, all * 3 / 4, all / 2, all / 3, std::size_t{600}, std::size_t{20}}) {
      INFO("packing " << static_cast<int>(packing) << ", " << size << " of " << whole.size() << " bytes");
      write_file(temporary / "cut", whole.substr(0, size));
      if (packing == Packing::zip && size > all - 10) {  // only the table of contents is cut: all files are still there
        CHECK(walk(temporary / "cut").names.size() == 3);
        continue;
      }
      CHECK(number_of(temporary / "cut") == 283);
    }
  }
  write_archive(temporary / "whole", entries, Packing::tar);
  std::string const whole = hone::test::read_file(temporary / "whole");
  for (std::size_t const size : {std::size_t{600}, std::size_t{5000}, std::size_t{8000}, std::size_t{12000}}) {
    write_file(temporary / "cut", whole.substr(0, size));
    CHECK(number_of(temporary / "cut") == 283);
  }
}

TEST_CASE("damage inside is an error, never other text") {
  TemporaryFolder temporary;
  std::vector<ArchiveEntry> const entries = {{"a.txt", noise(5000, 6)}, {"b.txt", noise(5000, 7)}};
  for (Packing const packing : {Packing::tar_gz, Packing::tar_xz, Packing::zip}) {
    write_archive(temporary / "whole", entries, packing);
    std::string const whole = hone::test::read_file(temporary / "whole");
    Walk const right = walk(temporary / "whole");
    int refused = 0;
    for (std::size_t at = 150; at + 150 < whole.size(); at += 97) {
      INFO("packing " << static_cast<int>(packing) << ", byte " << at);
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
      write_file(temporary / "damaged", damaged);
      try {
        Walk const seen = walk(temporary / "damaged");
        for (auto const& [name, content] : seen.content) {
          bool const same = content == right.content.at(name);  // not in CHECK: it would print both
          CHECK((same || !seen.problems.empty()));
        }
        refused += seen.problems.empty() ? 0 : 1;
      } catch (hone::Error const& error) {
        CHECK(error.number() == 283);
        ++refused;
      }
    }
    CHECK(refused > 50);
  }
}

TEST_CASE("what is no archive is named for what it is") {
  TemporaryFolder temporary;
  auto found = [&](std::string_view content) {
    write_file(temporary / "file", content);
    hone::Error const error = error_of([&] { walk(temporary / "file"); });
    CHECK(error.number() == 282);
    CHECK(error.where().file == (temporary / "file").string());
    return error.where().value;
  };
  CHECK(found("") == "an empty file");
  CHECK(found("version https://git-lfs.github.com/spec/v1\noid sha256:00\n") == "a Git LFS pointer, not the file itself");
  CHECK(found("<!DOCTYPE html><title>404</title>") == "a web page");
  CHECK(found(noise(3000, 8)) == "neither tar (plain, gzip, bzip2, xz, zstd) nor zip");
  CHECK(found(noise(10, 9)) == "neither tar (plain, gzip, bzip2, xz, zstd) nor zip");

  CHECK(number_of(temporary / "missing") == 281);
  CHECK(number_of("/dev/null") == 281);
  fs::create_directories(temporary / "empty/inside");
  CHECK(number_of(temporary / "empty") == 284);
  write_archive(temporary / "empty.tar.gz", {}, Packing::tar_gz);
  CHECK(number_of(temporary / "empty.tar.gz") == 284);
  write_archive(temporary / "empty.zip", {}, Packing::zip);
  CHECK(number_of(temporary / "empty.zip") == 284);
  if (geteuid() != 0) {
    write_archive(temporary / "secret.tar", {{"a.txt", "a"}}, Packing::tar);
    fs::permissions(temporary / "secret.tar", fs::perms::none);
    CHECK(number_of(temporary / "secret.tar") == 281);
  }
}

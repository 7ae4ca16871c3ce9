#include "hone/core/atomic_file.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <set>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/error_matcher.hpp"
#include "support/temporary_folder.hpp"

namespace fs = std::filesystem;
using hone::test::error_number;
using hone::test::TemporaryFolder;

namespace {

std::set<std::string> names_in(fs::path const& folder) {
  std::set<std::string> names;
  for (auto const& entry : fs::directory_iterator(folder)) names.insert(entry.path().filename().string());
  return names;
}

mode_t mode_of(fs::path const& path) {
  struct stat about {};
  REQUIRE(::stat(path.c_str(), &about) == 0);
  return about.st_mode & 07777;
}

}  // namespace

TEST_CASE("a committed file has all bytes and leaves no temporary file") {
  TemporaryFolder folder;
  std::string const binary("a\0b\r\n\xff", 6);
  hone::AtomicFile file(folder / "x");
  file.write(binary);
  file.write(binary.data(), 3);
  file.write("");
  CHECK(file.written() == 9);
  CHECK_FALSE(fs::exists(folder / "x"));
  file.commit();
  CHECK(hone::read_file(folder / "x", 9) == binary + binary.substr(0, 3));
  CHECK(names_in(folder.path()) == std::set<std::string>{"x"});
}

TEST_CASE("without commit the old file stays and the temporary file goes") {
  TemporaryFolder folder;
  hone::write_file_atomically(folder / "x", "old");
  {
    hone::AtomicFile file(folder / "x");
    file.write("new");
    CHECK(names_in(folder.path()).size() == 2);
    CHECK(hone::read_file(folder / "x", 100) == "old");
  }
  CHECK(names_in(folder.path()) == std::set<std::string>{"x"});
  CHECK(hone::read_file(folder / "x", 100) == "old");
}

TEST_CASE("replacing a file keeps its permissions and an open reader's content") {
  TemporaryFolder folder;
  hone::write_file_atomically(folder / "x", "old");
  REQUIRE(::chmod((folder / "x").c_str(), 0640) == 0);
  hone::InputFile const reader(folder / "x");
  hone::write_file_atomically(folder / "x", "replaced");
  CHECK(mode_of(folder / "x") == 0640);
  char seen[3];
  reader.read(0, seen, 3);
  CHECK(std::string(seen, 3) == "old");
  CHECK(hone::read_file(folder / "x", 8) == "replaced");
}

TEST_CASE("a new file has the permissions of the umask") {
  TemporaryFolder folder;
  mode_t const before = ::umask(027);
  hone::write_file_atomically(folder / "x", "new");
  ::umask(before);
  CHECK(mode_of(folder / "x") == 0640);
}

TEST_CASE("a symbolic link is replaced and what it points to is left alone") {
  TemporaryFolder folder;
  hone::write_file_atomically(folder / "shared", "shared");
  fs::create_symlink("shared", folder / "x");
  hone::write_file_atomically(folder / "x", "own");
  CHECK(hone::read_file(folder / "shared", 100) == "shared");
  CHECK(hone::read_file(folder / "x", 100) == "own");
  CHECK_FALSE(fs::is_symlink(folder / "x"));
}

TEST_CASE("names that cannot be written to are numbered errors") {
  TemporaryFolder folder;
  fs::create_directory(folder / "d");
  fs::create_symlink("/dev/null", folder / "null");
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  auto const write_to = [&](std::string const& name) {
    return error_number([&] { hone::write_file_atomically(folder / name, "x"); });
  };
  CHECK(write_to("d") == 704);
  CHECK(write_to("d/") == 704);
  CHECK(write_to("d/.") == 704);
  CHECK(write_to("d/..") == 704);
  CHECK(write_to("null") == 704);  // the link to the device must not be replaced by a file
  CHECK(fs::is_symlink(folder / "null"));
  CHECK(write_to("pipe") == 704);
  CHECK(write_to("nowhere/x") == 703);
  CHECK(write_to(std::string(300, 'n')) == 705);
  CHECK(error_number([&] { hone::write_file_atomically("", "x"); }) == 704);
  CHECK(names_in(folder.path()) == std::set<std::string>{"d", "null", "pipe"});
}

TEST_CASE("a folder without write permission is a numbered error") {
  if (::geteuid() == 0) HONE_SKIP("root may write everywhere");
  TemporaryFolder folder;
  REQUIRE(::chmod(folder.path().c_str(), 0500) == 0);
  CHECK(error_number([&] { hone::write_file_atomically(folder / "x", "x"); }) == 702);
  REQUIRE(::chmod(folder.path().c_str(), 0700) == 0);
}

TEST_CASE("a name near the limit of 255 bytes works") {
  TemporaryFolder folder;
  std::string const name(255, 'n');
  hone::write_file_atomically(folder / name, "x");
  CHECK(names_in(folder.path()) == std::set<std::string>{name});
}

TEST_CASE("use after commit is an error") {
  TemporaryFolder folder;
  hone::AtomicFile file(folder / "x");
  file.commit();
  CHECK(error_number([&] { file.write("x"); }) == 706);
  CHECK(error_number([&] { file.commit(); }) == 706);
  CHECK(hone::read_file(folder / "x", 0).empty());
}

TEST_CASE("leftovers of dead writers are removed, files of living ones and of others are not") {
  TemporaryFolder folder;
  auto const touch = [&](std::string const& name) { hone::write_file_atomically(folder / name, "t"); };
  touch(".x.tmp-1-2");    // no writer holds its lock
  touch(".x.tmp-notes");  // not a name that we make
  touch(".xy.tmp-1-2");   // of another file
  fs::create_directory(folder / ".x.tmp-9-9");
  hone::AtomicFile living(folder / "x");
  hone::AtomicFile second(folder / "x");
  living.write("living");
  second.write("second");
  CHECK_FALSE(fs::exists(folder / ".x.tmp-1-2"));
  living.commit();
  CHECK(hone::read_file(folder / "x", 100) == "living");
  second.commit();
  CHECK(hone::read_file(folder / "x", 100) == "second");
  CHECK(names_in(folder.path()) == std::set<std::string>{"x", ".x.tmp-notes", ".xy.tmp-1-2", ".x.tmp-9-9"});
}

TEST_CASE("many threads that replace one file leave one of their contents") {
  TemporaryFolder folder;
  std::vector<std::thread> threads;
  for (char c = 'a'; c < 'e'; ++c)
    threads.emplace_back([&folder, c] {
      for (int i = 0; i < 20; ++i) hone::write_file_atomically(folder / "x", std::string(100'000, c));
    });
  for (auto& thread : threads) thread.join();
  std::string const content = hone::read_file(folder / "x", 100'000);
  REQUIRE(content.size() == 100'000);
  CHECK(content.find_first_not_of(content[0]) == std::string::npos);
  CHECK(names_in(folder.path()) == std::set<std::string>{"x"});
}

TEST_CASE("read_file reads regular files only, and no more than allowed") {
  TemporaryFolder folder;
  std::string const content(10'000, 'c');
  hone::write_file_atomically(folder / "x", content);
  CHECK(hone::read_file(folder / "x", content.size()) == content);
  CHECK(error_number([&] { hone::read_file(folder / "x", content.size() - 1); }) == 204);
  fs::create_symlink("x", folder / "link");
  CHECK(hone::read_file(folder / "link", content.size()) == content);

  CHECK(error_number([&] { hone::read_file(folder / "none", 1); }) == 201);
  CHECK(error_number([&] { hone::read_file(folder / "x/y", 1); }) == 201);
  CHECK(error_number([&] { hone::read_file(folder.path(), 1); }) == 203);
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK(error_number([&] { hone::read_file(folder / "pipe", 1); }) == 203);  // and does not wait for a writer
  CHECK(error_number([&] { hone::read_file("/dev/zero", 1); }) == 203);
  fs::create_symlink("loop", folder / "loop");
  CHECK(error_number([&] { hone::read_file(folder / "loop", 1); }) == 205);

  int const socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::string const name = (folder / "socket").string();
  REQUIRE(name.size() < sizeof address.sun_path);
  std::copy(name.begin(), name.end(), address.sun_path);
  REQUIRE(::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  CHECK(error_number([&] { hone::read_file(name, 1); }) == 203);
  ::close(socket);
}

TEST_CASE("an enormous sparse file is refused before memory is asked for") {
  TemporaryFolder folder;
  hone::write_file_atomically(folder / "x", "");
  if (::truncate((folder / "x").c_str(), off_t{1} << 42) != 0) HONE_SKIP("no sparse file of 4 TiB here");
  CHECK(error_number([&] { hone::read_file(folder / "x", 1 << 20); }) == 204);
}

TEST_CASE("a file that says it is empty but is not is read within the limit") {
  if (!fs::exists("/proc/self/status")) HONE_SKIP("no /proc");
  CHECK(hone::read_file("/proc/self/status", 1 << 20).find("Pid:") != std::string::npos);
  CHECK(error_number([] { hone::read_file("/proc/self/status", 10); }) == 204);
}

TEST_CASE("an input file that became shorter is an error with the offset") {
  TemporaryFolder folder;
  hone::write_file_atomically(folder / "x", "0123456789");
  hone::InputFile const file(folder / "x");
  CHECK(file.size() == 10);
  REQUIRE(::truncate((folder / "x").c_str(), 4) == 0);
  char bytes[10];
  CHECK(file.read_some(2, bytes, 8) == 2);
  std::string text;
  CHECK(error_number([&] { file.read(2, bytes, 8); }, &text) == 206);
  CHECK(text.find("byte 4") != std::string::npos);
}

TEST_CASE("file content in messages cannot reach the terminal") {
  CHECK(hone::detail::printable("a\x1b[2J\n\xc3\xa9") == "a\\x1b[2J\\x0a\\xc3\\xa9");
  CHECK(hone::detail::printable(std::string(300, 'x'), 5) == "xxxxx...");
}

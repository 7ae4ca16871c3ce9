// Writing while everything that can go wrong does: each system call fails in turn, the process dies at each of them, the
// disk is full. At every instant the path must hold the old content or the new one, whole.
#include "hone/core/atomic_file.hpp"

#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <csignal>
#include <random>
#include <thread>

#include "hone/io/safetensors.hpp"
#include "support/catch.hpp"
#include "support/error_matcher.hpp"
#include "support/temporary_folder.hpp"

namespace fs = std::filesystem;
using hone::test::error_number;
using hone::test::TemporaryFolder;

namespace {

/// System calls of which the one with number `fail_at` fails with `code` (or ends the process), that are interrupted, or
/// that write a few bytes at a time.
struct FaultyCalls {
  using Real = hone::detail::PosixCalls;
  static inline int calls = 0, fail_at = 0, code = 0;
  static inline bool die = false, interrupted = false;
  static inline std::size_t most_bytes = 0;
  static inline std::string trace{};

  static void reset() {
    calls = fail_at = code = 0;
    die = interrupted = false;
    most_bytes = 0;
    trace.clear();
  }
  static bool fails(char const* name) {
    trace += name + std::string(" ");
    if (++calls != fail_at) return false;
    if (die) ::_exit(3);
    errno = code;
    return true;
  }
  static bool interrupt() {  // every second call
    static bool now = false;
    if (!interrupted || !(now = !now)) return false;
    errno = EINTR;
    return true;
  }

  static int open(char const* path, int flags, mode_t mode) {
    return fails("open") || interrupt() ? -1 : Real::open(path, flags, mode);
  }
  static ::ssize_t write(int descriptor, void const* data, std::size_t count) {
    if (fails("write") || interrupt()) return -1;
    return Real::write(descriptor, data, most_bytes > 0 ? std::min(count, most_bytes) : count);
  }
  static int fsync(int descriptor) { return fails("fsync") || interrupt() ? -1 : Real::fsync(descriptor); }
  static int close(int descriptor) {  // a close that fails has closed nevertheless, as on Linux
    bool const failed = fails("close") || interrupt();
    int const failure = errno, result = Real::close(descriptor);
    if (failed) errno = failure;
    return failed ? -1 : result;
  }
  static int rename(char const* from, char const* to) { return fails("rename") ? -1 : Real::rename(from, to); }
  static int unlink(char const* path) { return fails("unlink") ? -1 : Real::unlink(path); }
  static int reserve(int descriptor, off_t bytes) { return fails("reserve") ? -1 : Real::reserve(descriptor, bytes); }
};

std::size_t open_descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] auto const& entry : fs::directory_iterator("/proc/self/fd")) ++count;
  return count;
}

std::size_t files_in(fs::path const& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

/// Without root: a user namespace in which the caller may mount. False where the system does not allow it.
bool become_root_of_own_namespace() {
  std::string const user = std::to_string(::geteuid()), group = std::to_string(::getegid());
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
  auto const put = [](char const* path, std::string const& text) {
    int const file = ::open(path, O_WRONLY | O_CLOEXEC);
    bool const good = file >= 0 && ::write(file, text.data(), text.size()) == static_cast<::ssize_t>(text.size());
    if (file >= 0) ::close(file);
    return good;
  };
  return put("/proc/self/setgroups", "deny") && put("/proc/self/uid_map", "0 " + user + " 1") &&
         put("/proc/self/gid_map", "0 " + group + " 1");
}

/// Text in which no two places look alike, so that bytes lost or written twice show.
std::string numbers(std::size_t size) {
  std::string text;
  for (int i = 0; text.size() < size; ++i) text += std::to_string(i) + " ";
  text.resize(size);
  return text;
}

std::string const old_content(70'000, 'o'), new_content = numbers(90'000);

void write_new(fs::path const& path) {
  hone::BasicAtomicFile<FaultyCalls> file(path, new_content.size());
  file.write(std::string_view(new_content).substr(0, 30'000));
  file.write(std::string_view(new_content).substr(30'000));
  file.commit();
}

/// Runs `body` in a process of its own and returns how that ended, as waitpid says.
template <class Body>
int in_child(Body body) {
  pid_t const child = ::fork();
  if (child == 0) {
    int result = 99;
    try {
      result = body();
    } catch (...) {}
    ::_exit(result);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {}
  return status;
}

}  // namespace

TEST_CASE("content is on the disk before the name changes, and the name after it") {
  TemporaryFolder folder;
  FaultyCalls::reset();
  write_new(folder / "f");
  CHECK(FaultyCalls::trace == "open reserve write write fsync close rename open fsync close ");
  FaultyCalls::reset();
}

TEST_CASE("whichever system call fails, the file is old or new and nothing is left behind") {
  TemporaryFolder folder;
  fs::path const path = folder / "f";
  for (int const code : {ENOSPC, EIO, EDQUOT, EACCES, EROFS, EMFILE}) {
    bool done = false;
    for (int k = 1; !done; ++k) {
      REQUIRE(k < 100);
      FaultyCalls::reset();
      hone::write_file_atomically(path, old_content);
      std::size_t const descriptors = open_descriptors();
      FaultyCalls::fail_at = k;
      FaultyCalls::code = code;
      std::string text;
      int const number = error_number([&] { write_new(path); }, &text);
      done = FaultyCalls::calls < k;  // the call with this number was not reached: all have had their turn
      std::string const content = hone::read_file(path, 1 << 20);
      INFO("errno " << code << ", call " << k << ": " << text);
      bool const is_new = content == new_content;
      CHECK((is_new || content == old_content));
      if (number == 0) CHECK(is_new);
      if (is_new && number != 0) CHECK(text.find("the new file is in place") != std::string::npos);
      if (done) CHECK(number == 0);
      if (number != 0) CHECK(number == (code == ENOSPC || code == EDQUOT ? 701 : code == EIO || code == EMFILE ? 705 : 702));
      CHECK(files_in(folder.path()) == 1);
      CHECK(open_descriptors() == descriptors);
    }
  }
  FaultyCalls::reset();
}

TEST_CASE("a process that ends at any system call leaves the file old or new, and the next writer tidies up") {
  TemporaryFolder folder;
  fs::path const path = folder / "f";
  int ended = 0, renewed = 0;
  for (int k = 1;; ++k) {
    REQUIRE(k < 100);
    hone::write_file_atomically(path, old_content);
    int const status = in_child([&] {
      FaultyCalls::reset();
      FaultyCalls::fail_at = k;
      FaultyCalls::die = true;
      write_new(path);
      return 0;
    });
    REQUIRE(WIFEXITED(status));
    std::string const content = hone::read_file(path, 1 << 20);
    CHECK((content == new_content || content == old_content));
    if (WEXITSTATUS(status) == 0) break;
    REQUIRE(WEXITSTATUS(status) == 3);
    ++ended;
    renewed += content == new_content;
    hone::write_file_atomically(path, "next");
    CHECK(files_in(folder.path()) == 1);
  }
  CHECK(ended >= 8);  // open, reserve, 2 writes, fsync, close, rename, open folder, fsync folder, close folder
  CHECK(renewed >= 2);
}

TEST_CASE("short writes and interruptions are continued") {
  TemporaryFolder folder;
  FaultyCalls::reset();
  FaultyCalls::most_bytes = 77;
  FaultyCalls::interrupted = true;
  write_new(folder / "f");
  CHECK(FaultyCalls::calls > 1000);
  CHECK(hone::read_file(folder / "f", 1 << 20) == new_content);
  CHECK(files_in(folder.path()) == 1);
  FaultyCalls::reset();
}

TEST_CASE("the same for a safetensors file") {
  TemporaryFolder folder;
  fs::path const path = folder / "model.safetensors";
  std::vector<float> const weights(5'000, 2.5f), before(10, 1.0f);
  std::vector<hone::TensorToWrite> const old_set{{"w", hone::DType::F32, {10}, before.data()}};
  std::vector<hone::TensorToWrite> const new_set{{"w", hone::DType::F32, {50, 100}, weights.data()}};
  bool done = false;
  for (int k = 1; !done; ++k) {
    REQUIRE(k < 100);
    FaultyCalls::reset();
    hone::write_safetensors(path, old_set);
    FaultyCalls::fail_at = k;
    FaultyCalls::code = EIO;
    int const number = error_number([&] { hone::write_safetensors<FaultyCalls>(path, new_set); });
    done = FaultyCalls::calls < k;
    std::vector<float> const read = hone::SafetensorsReader(path).read<float>("w");
    CHECK((read == weights || (read == before && number == 705)));
    CHECK(files_in(folder.path()) == 1);
  }
  FaultyCalls::reset();
}

TEST_CASE("killed again and again while it rewrites a file, a process always leaves a valid one") {
  TemporaryFolder folder;
  fs::path const path = folder / "model.safetensors";
  auto const write_version = [&](std::int32_t version) {
    std::vector<std::int32_t> const values(20'000, version);
    std::vector<hone::TensorToWrite> const tensors{{"version", hone::DType::I32, {20'000}, values.data()}};
    hone::write_safetensors(path, tensors);
  };
  write_version(0);
  std::mt19937 random(11);
  int rewritten = 0;
  for (int round = 0; round < 40; ++round) {
    pid_t const child = ::fork();
    if (child == 0) {
      for (std::int32_t version = round * 1'000'000;; ++version) write_version(version);
    }
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 20'000));
    ::kill(child, SIGKILL);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
    auto const values = hone::SafetensorsReader(path).read<std::int32_t>("version");
    REQUIRE(values == std::vector<std::int32_t>(20'000, values.front()));
    rewritten += values.front() / 1'000'000 == round;
  }
  CHECK(rewritten > 0);  // some child got as far as a commit
  write_version(1);
  CHECK(files_in(folder.path()) == 1);  // what the killed ones left is gone
}

TEST_CASE("a limit on the file size is an error with the bytes needed, and the old file stays") {
  TemporaryFolder folder;
  fs::path const path = folder / "f";
  hone::write_file_atomically(path, old_content);
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  auto* const handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit const lower{80'000, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &lower) == 0);
  std::string text;
  int const announced = error_number([&] { hone::write_file_atomically(path, new_content); }, &text);
  int const unannounced = error_number([&] {
    hone::AtomicFile file(path);  // the size is not known before: the limit is met while writing
    file.write(new_content);
    file.commit();
  });
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  CHECK(announced == 701);
  CHECK(text.find("allowed ") != std::string::npos);
  CHECK(text.find(" bytes needed") != std::string::npos);
  CHECK(unannounced == 701);
  CHECK(hone::read_file(path, 1 << 20) == old_content);
  CHECK(files_in(folder.path()) == 1);
}

TEST_CASE("a full disk is an error with the bytes needed, and the old file stays") {
  TemporaryFolder folder;
  // A small disk in memory, seen by the child alone. Needs the right to mount: root, or namespaces for users.
  int const status = in_child([&] {
    if (::unshare(CLONE_NEWNS) != 0 && !become_root_of_own_namespace()) return 77;
    ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
    if (::mount("tmpfs", folder.path().c_str(), "tmpfs", 0, "size=256k") != 0) return 77;
    fs::path const path = folder / "f";
    hone::write_file_atomically(path, old_content);
    std::string const large(400'000, 'l');
    std::string text;
    if (error_number([&] { hone::write_file_atomically(path, large); }, &text) != 701) return 1;
    if (text.find("the disk is full while reserving space (file ") == text.npos) return 2;
    if (text.find("allowed 400000 bytes needed") == text.npos || text.find(" bytes free") == text.npos) return 3;
    auto const write_unannounced = [&] {
      hone::AtomicFile file(path);
      for (int i = 0; i < 4; ++i) file.write(std::string_view(large).substr(0, 100'000));
      file.commit();
    };
    if (error_number(write_unannounced, &text) != 701) return 4;
    if (text.find("the disk is full while writing") == text.npos) return 5;
    if (hone::read_file(path, 1 << 20) != old_content) return 6;
    if (files_in(folder.path()) != 1) return 7;
    hone::write_file_atomically(path, new_content);  // there is room for this one, beside the old
    return hone::read_file(path, 1 << 20) == new_content ? 0 : 8;
  });
  REQUIRE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77) HONE_SKIP("no right to mount a small disk");
  CHECK(WEXITSTATUS(status) == 0);
}

// A second run starts at once: what was read and tokenised is kept in a file of its own (imdb.hpp uses it).
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/core/input_file.hpp"
#include "hone/data/imdb_shape.hpp"
#include "hone/data/token_cache_file.hpp"

#if HONE_BODIES
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <new>
#include <set>
#include <system_error>

#include "hone/core/error.hpp"
#include "hone/core/sha256.hpp"
#include "hone/core/xxh64.hpp"
#include "hone/data/folder_files.hpp"
#include "hone/version.hpp"
#endif

namespace hone::data {

/// Where token caches are if nobody says otherwise: `$XDG_CACHE_HOME/hone`, else `$HOME/.cache/hone` (XDG Base Directory
/// Specification 0.8). Empty, which means no cache, where neither names a folder.
std::filesystem::path default_token_cache_folder();

/// What is worth a file.
struct TokenCacheLimits {
  std::uint64_t least = std::uint64_t{4} << 20;  ///< bytes of text; less is read and tokenised in no time
  std::uint64_t most = std::uint64_t{1} << 30;   ///< bytes of text; more would fill the disk
  std::int64_t settled = 2;  ///< seconds that a folder's files must be unchanged: times of changes are that coarse
};

/// Keeps what was read from a data set and tokenised, so that the next run with the same data starts at once.
///
///     hone::data::TokenCache cache(hone::data::default_token_cache_folder());
///     auto reviews = hone::data::imdb("aclImdb_v1.tar.gz", model.tokenizer(), {}, pool, cache);
///
/// A cache is used only when nothing has changed that could change its content: the data (an archive's bytes; of a folder
/// the names, sizes, numbers and times of change of its files), the tokenizer (vocabulary and settings), the length at
/// which texts are cut, the version of hone. It holds all texts, labels and tokens, of which a run takes its subset. It
/// is written beside its final name and renamed, so that any number of processes may use one folder; it is checked
/// whole before anything of it is used. Whatever is wrong with it costs time only: the data are read, `notes()` has a
/// line that says why, and the cache is made anew.
/// Size: the texts and 2 bytes a token (IMDB's 50,000 reviews: 95 MB). May be deleted at any time.
class TokenCache {
 public:
  /// Never reads, never writes.
  TokenCache() = default;

  /// @param folder  made when something is written; empty: like TokenCache()
  explicit TokenCache(std::filesystem::path folder, TokenCacheLimits const& limits = {})
      : folder_(std::move(folder)), limits_(limits) {}

  bool is_on() const noexcept { return !folder_.empty(); }
  std::filesystem::path const& folder() const noexcept { return folder_; }
  TokenCacheLimits const& limits() const noexcept { return limits_; }

  /// The file that was read or written last; empty: none.
  std::filesystem::path const& file() const noexcept { return file_; }

  /// Whether the last `load` found what it looked for.
  bool was_read() const noexcept { return was_read_; }

  /// Whether the last `store` wrote.
  bool was_written() const noexcept { return was_written_; }

  /// Why caches could not be used or written, one sentence each (E440 to E442).
  std::vector<std::string> const& notes() const noexcept { return notes_; }

  /// What a cache of these data is called, and what must not have changed since it was written.
  struct Key {
    std::string name{};           ///< of the file, from where the data are and how they are tokenised
    detail::TokenCacheKey sum{};  ///< of the state of the data, the tokenizer, the length, the version
    bool is_settled = true;       ///< false: the data have changed so lately that another change might not be seen
  };

  /// The key of data at `path`: a file (all its bytes are read) or a folder (its files that pass `wanted(name)`).
  /// Nothing when there is no such data, or it cannot be read: whoever reads it then says why.
  std::optional<Key> key(std::filesystem::path const& path, std::string const& tokenizer_fingerprint,
                         std::int64_t max_length, std::function<bool(std::string_view)> const& wanted) const;

  /// What was stored under this key, or nothing.
  /// @param vocabulary_size  ids are smaller than this
  std::optional<Imdb> load(Key const& key, std::int32_t vocabulary_size);

  /// Says that what `load` gave is not what the tokenizer gives now; it must not be used.
  void distrust();

  /// Whether texts of so many bytes together are worth storing.
  bool is_worth(std::uint64_t bytes) const noexcept { return is_on() && bytes >= limits_.least && bytes <= limits_.most; }

  /// Writes everything: all examples, tokenised. What goes wrong is a note, not an error.
  void store(Key const& key, Imdb const& all);

 private:
  /// Raised when hone reads or tokenises otherwise than before.
  static constexpr std::uint32_t revision = 1;

  static std::uint64_t content(InputFile const& file);

  void make_folder() const;

  std::string unusable(char const* what, std::exception const& error) const;

  std::filesystem::path folder_{}, file_{};
  TokenCacheLimits limits_{};
  std::vector<std::string> notes_{};
  bool was_read_ = false, was_written_ = false;
};

}  // namespace hone::data

#if HONE_BODIES

namespace hone::detail {

/// Adds texts and numbers to a checksum so that no two lists of them read alike.
class FieldSum {
 public:
  void add(std::string_view text) {
    add(static_cast<std::uint64_t>(text.size()));
    sum_.update(text);
  }
  void add(std::uint64_t value) {
    unsigned char bytes[8];
    for (int i = 0; i < 8; ++i) bytes[i] = static_cast<unsigned char>(value >> (8 * i));
    sum_.update(bytes, sizeof bytes);
  }
  TokenCacheKey digest() { return sum_.digest(); }
  std::string hex() { return sum_.hex(); }

 private:
  Sha256 sum_;
};

/// What tells one state of a folder's files from another without reading them: names, sizes, file numbers, times of the
/// last change of content and of anything (which no program can set), as git's index has it.
class FolderState {
 public:
  void add(std::filesystem::path const& folder, std::string const& prefix,
           std::function<bool(std::string_view)> const& wanted, FieldSum& sum) {
    namespace fs = std::filesystem;
    std::error_code failure;
    if (!seen_.insert(fs::canonical(folder, failure).string()).second || failure) return sum.add("not followed");
    std::vector<std::pair<std::string, bool>> entries;  // name, is it a folder
    fs::directory_iterator walk(folder, failure);
    for (; !failure && walk != fs::directory_iterator(); walk.increment(failure)) {
      std::error_code unknown;
      entries.emplace_back(walk->path().filename().string(), walk->is_directory(unknown));
    }
    if (failure) sum.add("cannot be read");
    std::sort(entries.begin(), entries.end());
    for (auto const& [file, is_folder] : entries) {
      std::string const name = prefix + file;
      if (is_folder) {
        add(folder / file, name + "/", wanted, sum);
        continue;
      }
      if (!wanted(name)) continue;
      sum.add(name);
      struct stat about {};
      if (::stat((folder.native() + '/' + file).c_str(), &about) != 0) continue;
#if defined(__APPLE__)
      timespec const times[] = {about.st_mtimespec, about.st_ctimespec};
#else
      timespec const times[] = {about.st_mtim, about.st_ctim};
#endif
      sum.add(static_cast<std::uint64_t>(about.st_mode));
      sum.add(static_cast<std::uint64_t>(about.st_size));
      sum.add(static_cast<std::uint64_t>(about.st_ino));
      for (timespec const& time : times) {
        sum.add(static_cast<std::uint64_t>(time.tv_sec));
        sum.add(static_cast<std::uint64_t>(time.tv_nsec));
        newest_ = std::max(newest_, static_cast<std::int64_t>(time.tv_sec));
      }
    }
  }

  /// Seconds since 1970 of the last change.
  std::int64_t newest() const { return newest_; }

 private:
  std::set<std::string> seen_;
  std::int64_t newest_ = 0;
};

/// A file name's letters that are letters everywhere.
inline std::string plain_stem(std::string const& name) {
  std::string stem;
  for (char const c : name.substr(0, 40)) {
    bool const plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    stem += plain || (c == '.' && !stem.empty()) ? c : '_';
  }
  return stem.empty() ? "data" : stem;
}

}  // namespace hone::detail

namespace hone::data {

HONE_INLINE std::filesystem::path default_token_cache_folder() {
  auto const from = [](char const* variable) {
    char const* const value = std::getenv(variable);
    std::filesystem::path path = value ? value : "";
    return path.is_absolute() ? path : std::filesystem::path();  // a relative one has to be ignored
  };
  if (auto const cache = from("XDG_CACHE_HOME"); !cache.empty()) return cache / "hone";
  if (auto const home = from("HOME"); !home.empty()) return home / ".cache" / "hone";
  return {};
}

HONE_INLINE std::optional<TokenCache::Key> TokenCache::key(std::filesystem::path const& path,
                                                           std::string const& tokenizer_fingerprint, std::int64_t max_length,
                                                           std::function<bool(std::string_view)> const& wanted) const {
  namespace fs = std::filesystem;
  if (!is_on()) return std::nullopt;
  std::error_code failure;
  fs::path const real = fs::canonical(path, failure);
  if (failure) return std::nullopt;
  Key key;
  detail::FieldSum place, state;
  for (detail::FieldSum* sum : {&place, &state}) {
    sum->add(tokenizer_fingerprint);
    sum->add(static_cast<std::uint64_t>(max_length));
  }
  place.add(real.string());
  key.name = detail::plain_stem(real.filename().string()) + "-" + place.hex().substr(0, 16) + ".tokens";
  FileLimits const limits;
  state.add(std::string_view(version));
  state.add(std::uint64_t{revision});
  for (std::int64_t const limit : {limits.file, limits.kept, limits.unpacked}) state.add(static_cast<std::uint64_t>(limit));
  state.add(path.filename().string());  // names stand in sources and problems
  state.add(real.filename().string());
  try {
    if (fs::is_directory(real, failure)) {
      detail::FolderState files;
      files.add(real, "", wanted, state);
      auto const now = std::chrono::system_clock::now().time_since_epoch();
      key.is_settled = files.newest() + limits_.settled <= std::chrono::duration_cast<std::chrono::seconds>(now).count();
    } else {
      state.add("a file");
      InputFile const file(real);
      state.add(file.size());
      state.add(content(file));
    }
  } catch (std::exception const&) {
    return std::nullopt;
  }
  key.sum = state.digest();
  return key;
}

HONE_INLINE std::optional<Imdb> TokenCache::load(Key const& key, std::int32_t vocabulary_size) {
  was_read_ = false;
  file_ = folder_ / key.name;
  std::error_code failure;
  if (!is_on() || !std::filesystem::exists(file_, failure)) return std::nullopt;
  try {
    auto all = detail::read_token_cache(file_, key.sum, vocabulary_size);
    was_read_ = true;
    return all;
  } catch (Error const& error) {
    bool const is_ours = error.number() == 440 || error.number() == 441;
    notes_.push_back(is_ours ? error.what() : unusable("read", error));
  } catch (std::bad_alloc const&) {
    throw;
  } catch (std::exception const& error) {
    notes_.push_back(unusable("read", error));
  }
  return std::nullopt;
}

HONE_INLINE void TokenCache::distrust() {
  was_read_ = false;
  notes_.push_back(Error(441, "the token cache is out of date: the tokenizer gives other ids than it has",
                         {.file = file_.string()}, "nothing: it is made anew")
                       .what());
}

HONE_INLINE void TokenCache::store(Key const& key, Imdb const& all) {
  was_written_ = false;
  file_ = folder_ / key.name;
  if (!is_on() || !key.is_settled) return;
  try {
    make_folder();
    detail::write_token_cache(file_, key.sum, all);
    was_written_ = true;
  } catch (std::bad_alloc const&) {
    throw;
  } catch (std::exception const& error) {
    notes_.push_back(unusable("written", error));
  }
}

HONE_INLINE std::uint64_t TokenCache::content(InputFile const& file) {
  std::vector<char> piece(std::size_t{1} << 20);
  detail::Xxh64 sum;
  for (std::uint64_t at = 0; std::size_t const got = file.read_some(at, piece.data(), piece.size()); at += got)
    sum.add(piece.data(), got);
  return sum.value();
}

HONE_INLINE void TokenCache::make_folder() const {
  namespace fs = std::filesystem;
  std::error_code failure;
  if (fs::is_directory(folder_, failure)) return;
  fs::create_directories(folder_, failure);
  if (failure)
    throw Error(707, "a folder cannot be made", {.file = folder_.string(), .value = failure.message()},
                "check the path and the permissions");
  fs::permissions(folder_, fs::perms::owner_all, failure);  // texts may be private; best effort
}

HONE_INLINE std::string TokenCache::unusable(char const* what, std::exception const& error) const {
  std::string reason = error.what();
  if (std::size_t const next = reason.rfind(" Next: "); next != reason.npos) reason.resize(next);
  while (!reason.empty() && reason.back() == '.') reason.pop_back();
  return Error(442, std::string("a token cache could not be ") + what, {.file = file_.string(), .value = reason},
               "nothing: texts are tokenised in every run; another folder for the cache may do")
      .what();
}

}  // namespace hone::data

#endif

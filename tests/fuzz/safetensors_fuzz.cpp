// Damaged files, made from valid ones by a seeded generator: the reader must give a numbered error or read the file, and its
// verdict must be that of a second, slower reading of the rules. $HONE_FUZZ_ROUNDS sets how many files are tried.
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "hone/io/safetensors.hpp"
#include "hone/models/bert_config.hpp"
#include "support/catch.hpp"
#include "support/error_matcher.hpp"
#include "support/safetensors_cases.hpp"
#include "support/temporary_folder.hpp"

namespace {

using hone::test::error_number;
using nlohmann::json;

int rounds() {
  char const* const wanted = std::getenv("HONE_FUZZ_ROUNDS");
  return wanted != nullptr ? std::atoi(wanted) : 20'000;
}

std::uint64_t length_in(std::string const& file) {
  std::uint64_t length = 0;
  for (int i = 7; i >= 0; --i) length = length << 8 | static_cast<unsigned char>(file[static_cast<std::size_t>(i)]);
  return length;
}

/// The rules once more, on a document tree and with wide integers: true if the file is valid.
bool valid(std::string const& file) {
  if (file.size() < 8) return false;
  std::uint64_t const length = length_in(file);
  if (length > 100'000'000 || length > file.size() - 8) return false;
  std::string const text = file.substr(8, static_cast<std::size_t>(length));
  std::uint64_t const data = file.size() - 8 - length;
  if (text.find('\0') != text.npos || text.rfind("\xef\xbb\xbf", 0) == 0) return false;
  std::vector<std::set<std::string>> keys;  // of each object that is open
  bool twice = false;
  json const header = json::parse(
      text,
      [&](int, json::parse_event_t event, json& value) {
        if (event == json::parse_event_t::object_start) keys.emplace_back();
        if (event == json::parse_event_t::object_end) keys.pop_back();
        if (event == json::parse_event_t::key) twice |= !keys.back().insert(value.get<std::string>()).second;
        return true;
      },
      false);
  if (header.is_discarded() || !header.is_object() || twice) return false;
  auto const is_size = [](json const& v) { return v.is_number_unsigned() && v.get<std::uint64_t>() < 1ull << 48; };
  static std::map<std::string, unsigned> const bits{
      {"BOOL", 8},    {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6},     {"U8", 8},          {"I8", 8},
      {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"I16", 16},
      {"U16", 16},    {"F16", 16},    {"BF16", 16},   {"I32", 32},        {"U32", 32},        {"F32", 32},
      {"C64", 64},    {"F64", 64},    {"I64", 64},    {"U64", 64}};
  std::multimap<std::pair<std::uint64_t, std::uint64_t>, std::string> ranges;
  for (auto const& [name, entry] : header.items()) {
    if (!entry.is_object()) return false;
    if (name == "__metadata__") {
      for (auto const& [key, value] : entry.items())
        if (!value.is_string()) return false;
      continue;
    }
    if (name.empty() || name.find('\0') != name.npos || entry.size() != 3) return false;
    if (!entry.contains("dtype") || !entry.contains("shape") || !entry.contains("data_offsets")) return false;
    json const &dtype = entry["dtype"], &shape = entry["shape"], &offsets = entry["data_offsets"];
    if (!dtype.is_string() || !bits.contains(dtype.get<std::string>())) return false;
    if (!shape.is_array() || shape.size() > 64 || !offsets.is_array() || offsets.size() != 2) return false;
    if (!is_size(offsets[0]) || !is_size(offsets[1])) return false;
    long double wide = bits.at(dtype.get<std::string>()), exact = wide;
    for (json const& extent : shape) {
      if (!is_size(extent)) return false;
      exact *= extent.get<std::uint64_t>();
      if (extent != 0) wide *= extent.get<std::uint64_t>();
    }
    auto const begin = offsets[0].get<std::uint64_t>(), end = offsets[1].get<std::uint64_t>();
    // An overflow that a later zero undoes: our reader and the reference stop at the overflow; the fuzzer must not judge it.
    if (exact == 0 && wide >= 0x1p63L)
      return end == begin && error_number([&] { hone::detail::parse_safetensors_header(text, data, "f"); }) == 0;
    if (exact != static_cast<long double>(end - begin) * 8 || end < begin) return false;
    ranges.emplace(std::pair(begin, end), name);
  }
  std::uint64_t position = 0;
  for (auto const& [range, name] : ranges) {
    if (range.first != position) return false;
    position = range.second;
  }
  return position == data;
}

/// Random files near the border between valid and not.
class Mutator {
 public:
  explicit Mutator(std::uint32_t seed) : random_(seed) {
    for (auto const& row : hone::test::safetensors_cases())
      if (row.bytes.size() < 2000) corpus_.push_back(row.bytes);
  }

  std::size_t upto(std::size_t n) { return n == 0 ? 0 : random_() % n; }
  template <class T>
  T const& one_of(std::vector<T> const& list) {
    return list[upto(list.size())];
  }

  /// A valid file of a few small tensors.
  std::string fresh() {
    std::vector<std::string> entries;
    std::size_t position = 0;
    for (std::size_t i = upto(4); i > 0; --i) {
      std::size_t const a = upto(4), b = upto(3), size = a * b * 4;
      entries.push_back("\"" + std::string(1 + upto(2), static_cast<char>('a' + i)) + R"(":{"dtype":"F32","shape":[)" +
                        std::to_string(a) + "," + std::to_string(b) + R"(],"data_offsets":[)" + std::to_string(position) +
                        "," + std::to_string(position + size) + "]}");
      position += size;
    }
    if (upto(3) == 0) entries.push_back(R"("__metadata__":{"format":"pt"})");
    std::shuffle(entries.begin(), entries.end(), random_);
    std::string header = "{";
    for (auto const& entry : entries) header += (header.size() > 1 ? "," : "") + entry;
    return hone::test::with_length(header + "}" + std::string(upto(9), ' ')) + std::string(position, 'x');
  }

  std::string next() {
    std::string file = upto(3) == 0 ? one_of(corpus_) : fresh();
    for (std::size_t n = upto(4); n > 0; --n) mutate(file);
    if (file.size() >= 8 && upto(4) != 0) {  // mostly keep the length right, or nothing behind it is ever reached
      std::size_t const close = file.rfind('}');
      std::size_t const end = close == file.npos ? file.size() : close + 1 + upto(2) * upto(3);
      file.replace(0, 8, hone::test::length(std::min(end, file.size()) < 8 ? 0 : std::min(end, file.size()) - 8));
    }
    return file;
  }

 private:
  void mutate(std::string& file) {
    static std::vector<std::string> const fragments{"{",
                                                    "}",
                                                    "[",
                                                    "]",
                                                    ",",
                                                    ":",
                                                    "\"",
                                                    "\\",
                                                    "0",
                                                    "-0",
                                                    "1.0",
                                                    "4e0",
                                                    "-1",
                                                    "18446744073709551616",
                                                    "281474976710656",
                                                    "281474976710655",
                                                    "9223372036854775807",
                                                    "null",
                                                    "true",
                                                    "\"a\"",
                                                    "\"__metadata__\"",
                                                    "\"dtype\"",
                                                    "\"shape\"",
                                                    "\"data_offsets\"",
                                                    "\"F4\"",
                                                    "\"F64\"",
                                                    "\\ud800",
                                                    "\\u0000",
                                                    "\xc0\xaf",
                                                    "\xef\xbb\xbf",
                                                    "/*",
                                                    " ",
                                                    "\n",
                                                    std::string(1, '\0'),
                                                    "[0,0]",
                                                    "[1]",
                                                    R"("x":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},)",
                                                    R"("foo":1,)",
                                                    "NaN",
                                                    "01",
                                                    "0x1",
                                                    "[[[[[[[["};
    std::size_t const at = upto(file.size() + 1), count = std::min(upto(20), file.size() - at);
    switch (upto(9)) {
      case 0:
        if (!file.empty()) file[upto(file.size())] ^= static_cast<char>(1 << upto(8));
        break;
      case 1:
        file.insert(at, one_of(fragments));
        break;
      case 2:
        file.erase(at, count);
        break;
      case 3:
        file.insert(upto(file.size() + 1), file.substr(at, count));
        break;
      case 4:
        file.resize(at);
        break;
      case 5:
        file.append(upto(9), 'y');
        break;
      case 6:
        file.replace(at, count, one_of(fragments));
        break;
      case 7: {  // change a number
        std::size_t const digit = file.find_first_of("0123456789", std::max<std::size_t>(at, 8));
        if (digit != file.npos) file.replace(digit, 1, upto(4) == 0 ? one_of(fragments) : std::to_string(upto(25)));
        break;
      }
      default: {  // cross with another
        std::string const other = one_of(corpus_);
        std::size_t const from = upto(other.size() + 1);
        file.replace(at, count, other.substr(from, upto(80)));
      }
    }
  }

  std::mt19937 random_;
  std::vector<std::string> corpus_;
};

std::string escaped(std::string const& text) { return hone::detail::printable(text, 2000); }

}  // namespace

TEST_CASE("a damaged safetensors file is read or refused as the rules say") {
  hone::test::TemporaryFolder folder;
  Mutator mutator(2024);
  std::map<int, int> seen;
  for (int round = 0; round < rounds(); ++round) {
    std::string const file = mutator.next();
    INFO("round " << round << ": " << escaped(file));
    std::string message;
    int number = 0;
    if (round % 8 == 0) {  // through a file, with its values
      std::string const path = folder / "f";
      std::FILE* const out = std::fopen(path.c_str(), "wb");
      REQUIRE(out != nullptr);
      REQUIRE(std::fwrite(file.data(), 1, file.size(), out) == file.size());
      REQUIRE(std::fclose(out) == 0);
      number = error_number(
          [&] {
            hone::SafetensorsReader const reader(path);
            for (auto const& tensor : reader.tensors()) {
              int const read = error_number([&] { reader.read<double>(tensor.name); });
              REQUIRE((read == 0 || read == 231));
            }
          },
          &message);
    } else if (file.size() >= 8 && length_in(file) <= file.size() - 8) {
      auto const length = static_cast<std::size_t>(length_in(file));
      std::string_view const text = std::string_view(file).substr(8, length);
      number = error_number([&] { hone::detail::parse_safetensors_header(text, file.size() - 8 - length, "f"); }, &message);
    } else {
      continue;
    }
    INFO(message);
    REQUIRE((number == 0) == valid(file));
    REQUIRE((number == 0 || (number >= 220 && number <= 230)));
    REQUIRE(message.size() < 2000);
    ++seen[number];
  }
  // The generator is worth something only if it reaches the rules, and valid files too.
  if (rounds() >= 20'000)
    for (int const number : {0, 220, 222, 223, 224, 225, 226, 227, 228, 229, 230}) {
      INFO("E" << number << " was seen " << seen[number] << " times");
      CHECK(seen[number] >= 5);
    }
}

TEST_CASE("a damaged JSON file is read or refused, and a configuration from it too") {
  std::string const config =
      R"({"model_type":"bert","vocab_size":99,"hidden_size":32,"num_hidden_layers":2,"num_attention_heads":4,)"
      R"("intermediate_size":37,"max_position_embeddings":64,"hidden_dropout_prob":0.1,"layer_norm_eps":1e-12,)"
      R"("hidden_act":"gelu","id2label":{"0":"a","1":["b",null,true]},"classifier_dropout":null})";
  std::vector<std::string> const fragments{"{",
                                           "}",
                                           "[",
                                           "]",
                                           ",",
                                           ":",
                                           "\"",
                                           "\\",
                                           "-",
                                           "0",
                                           "1e999",
                                           "null",
                                           "true",
                                           "\\ud800",
                                           "\xc0",
                                           " ",
                                           "-1",
                                           "1.5",
                                           "\"roberta\"",
                                           "\"vocab_size\":7,",
                                           "18446744073709551615",
                                           "18446744073709551616",
                                           std::string(1, '\0')};
  std::mt19937 random(5);
  std::map<int, int> seen;
  for (int round = 0; round < rounds(); ++round) {
    std::string text = config;
    for (std::size_t n = random() % 4; n > 0; --n) {
      std::size_t const at = random() % (text.size() + 1), count = random() % 3 == 0 ? random() % 12 : random() % 2;
      text.replace(at, std::min(count, text.size() - at), random() % 3 == 0 ? "" : fragments[random() % fragments.size()]);
    }
    INFO("round " << round << ": " << escaped(text));
    json document;
    int number = error_number([&] { document = hone::parse_json(text, "f"); });
    bool const nul = text.find('\0') != text.npos;
    if (number != 215) REQUIRE((number == 0) == (json::accept(text) && !nul));  // a key twice may come before a worse error
    if (number == 0) {
      REQUIRE(document == json::parse(text));
      number = error_number([&] {
        hone::BertConfig const read = hone::BertConfig::from_json(document, "f");
        read.check();
        REQUIRE(hone::BertConfig::from_json(read.to_json(), "f").to_json() == read.to_json());
      });
    }
    ++seen[number];
  }
  if (rounds() >= 20'000)
    for (int const number : {0, 210, 211, 212, 213, 215, 520, 521}) {
      INFO("E" << number << " was seen " << seen[number] << " times");
      CHECK(seen[number] >= 2);
    }
}

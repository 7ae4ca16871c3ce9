#include "hone/io/safetensors.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <random>
#include <set>

#include "support/catch.hpp"
#include "support/error_matcher.hpp"
#include "support/in_brief.hpp"
#include "support/safetensors_cases.hpp"
#include "support/shared_data.hpp"
#include "support/temporary_folder.hpp"

namespace fs = std::filesystem;
using hone::DType;
using hone::test::error_number;
using hone::test::SafetensorsCase;
using hone::test::TemporaryFolder;
using hone::test::with_length;

namespace {

void put_file(fs::path const& path, std::string const& bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  REQUIRE(file.good());
}

/// The error number that reading a file of these bytes gives, 0 if it is accepted.
int verdict(TemporaryFolder const& folder, std::string const& bytes, std::string* text = nullptr) {
  put_file(folder / "case.safetensors", bytes);
  return error_number([&] { hone::SafetensorsReader reader(folder / "case.safetensors"); }, text);
}

template <class T>
std::string bytes_of(std::vector<T> const& values) {
  return {reinterpret_cast<char const*>(values.data()), values.size() * sizeof(T)};
}

// A sanitizer's run takes this part of the largest cases.
constexpr int share = hone::test::sanitized ? 10 : 1;

std::string repeat(char c, std::size_t count) { return std::string(count, c); }

}  // namespace

TEST_CASE("every malformed file of the list gets its verdict") {
  TemporaryFolder folder;
  std::set<int> rows;
  for (SafetensorsCase const& row : hone::test::safetensors_cases()) {
    std::string text;
    int const found = verdict(folder, row.bytes, &text);
    INFO("row " << row.row << " " << row.name << ": " << text.substr(0, 300));
    CHECK(found == row.error);
    if (row.error != 0) {
      CHECK(text.find("case.safetensors") != std::string::npos);
      CHECK(text.size() < 1000);
      CHECK(std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; }));
    }
    rows.insert(row.row);
  }
  CHECK(rows.size() == 120);
}

TEST_CASE("the messages name tensor, values and rule") {
  TemporaryFolder folder;
  std::string text;
  verdict(folder, with_length(R"({"w":{"dtype":"I32","shape":[2,2],"data_offsets":[0,4]}})") + repeat('\0', 4), &text);
  CHECK(text.find("[hone-E227] data_offsets do not fit the shape (file ") == 0);
  CHECK(text.find("tensor w, found 4 bytes, allowed 16 bytes for shape (2, 2) of I32)") != std::string::npos);
  verdict(folder, with_length(R"({"w" 1})"), &text);
  CHECK(text.find("[hone-E222]") == 0);
  CHECK(text.find("byte 13") != std::string::npos);  // 8 of the length, then {"w" and the blank
}

TEST_CASE("integers at the edge of the schema") {
  TemporaryFolder folder;
  auto const shape = [&](std::string const& extents) {
    return verdict(folder, with_length(R"({"w":{"dtype":"U8","shape":[)" + extents + R"(],"data_offsets":[0,0]}})"));
  };
  CHECK(shape("281474976710655,0") == 0);
  CHECK(shape("281474976710656,0") == 225);
  CHECK(shape("9223372036854775808,0") == 225);
  CHECK(shape("18446744073709551616,0") == 225);
  CHECK(shape("1e400,0") == 222);
  CHECK(shape("0,-1") == 225);
  CHECK(shape(repeat('9', 100'000)) == 222);  // a number of any length must not blow up, and is not finite
}

TEST_CASE("rank: 64 dimensions are read, 65 are not") {
  TemporaryFolder folder;
  auto const rank = [&](int n) {
    std::string ones;
    for (int i = 0; i < n; ++i) ones += i == 0 ? "1" : ",1";
    return verdict(folder, with_length(R"({"w":{"dtype":"U8","shape":[)" + ones + R"(],"data_offsets":[0,1]}})") + "x");
  };
  CHECK(rank(64) == 0);
  CHECK(rank(65) == 225);
}

TEST_CASE("a header of 100 MB of anything is refused in bounded memory and time") {
  TemporaryFolder folder;
  std::size_t const size = 100'000'000 / share;
  CHECK(verdict(folder, with_length(repeat('[', size))) == 223);
  CHECK(verdict(folder, with_length(R"({"a":)" + repeat('{', size - 5))) == 222);
  CHECK(verdict(folder, with_length("{\"" + repeat('n', size - 2))) == 222);  // a name without end
  CHECK(verdict(folder, with_length(repeat(' ', size))) == 222);
  CHECK(verdict(folder, with_length("{}" + repeat(' ', size - 2))) == 0);
  CHECK(verdict(folder, with_length("{}" + repeat(' ', 100'000'000 - 1))) == 221);
}

TEST_CASE("a header length at the cap in a sparse file, and a file that ends before it") {
  TemporaryFolder folder;
  fs::path const path = folder / "sparse";
  std::uint64_t const length = 100'000'000;
  put_file(path, std::string(reinterpret_cast<char const*>(&length), 8));
  if (::truncate(path.c_str(), 8 + 100'000'000) != 0) HONE_SKIP("no sparse files here");
  CHECK(error_number([&] { hone::SafetensorsReader reader(path); }) == 222);  // NUL bytes
  REQUIRE(::truncate(path.c_str(), 8 + 99'999'999) == 0);
  CHECK(error_number([&] { hone::SafetensorsReader reader(path); }) == 220);
}

TEST_CASE("a tensor beyond 4 GiB is read from the right place") {
  TemporaryFolder folder;
  fs::path const path = folder / "large";
  std::string const start = with_length(R"({"big":{"dtype":"U8","shape":[5000000000],"data_offsets":[0,5000000000]},)"
                                        R"("last":{"dtype":"F32","shape":[2],"data_offsets":[5000000000,5000000008]}})");
  put_file(path, start);
  if (::truncate(path.c_str(), static_cast<off_t>(start.size()) + 5'000'000'000) != 0)
    HONE_SKIP("no sparse file of 5 GB here");
  {
    std::ofstream file(path, std::ios::binary | std::ios::app);
    file << bytes_of<float>({1.5f, -2.0f});
  }
  hone::SafetensorsReader const reader(path);
  CHECK(reader.read<float>("last") == std::vector<float>{1.5f, -2.0f});
}

TEST_CASE("a million tensors") {
  TemporaryFolder folder;
  std::string header = "{";
  int const count = 1'000'000 / share;
  for (int i = count - 1; i >= 0; --i) {  // in falling order of their data
    header += "\"t" + std::to_string(i) + R"(":{"dtype":"U8","shape":[1],"data_offsets":[)" + std::to_string(i) + "," +
              std::to_string(i + 1) + "]}" + (i > 0 ? "," : "}");
  }
  put_file(folder / "many", with_length(header) + repeat('\7', count));
  hone::SafetensorsReader const reader(folder / "many");
  REQUIRE(reader.tensors().size() == count);
  CHECK(reader.tensors()[1234].name == "t1234");
  CHECK(reader.at("t99999").begin == 99'999);
  CHECK(reader.find("t1000000") == nullptr);
  CHECK(reader.read<std::int32_t>("t77") == std::vector<std::int32_t>{7});
  // one name too many, far from its twin
  header.back() = ',';
  header +=
      R"("t5":{"dtype":"U8","shape":[1],"data_offsets":[)" + std::to_string(count) + "," + std::to_string(count + 1) + "]}}";
  CHECK(verdict(folder, with_length(header) + repeat('\7', count + 1)) == 228);
}

TEST_CASE("paths that are not files") {
  TemporaryFolder folder;
  CHECK(error_number([&] { hone::SafetensorsReader reader(folder.path()); }) == 203);
  CHECK(error_number([&] { hone::SafetensorsReader reader(folder / "none"); }) == 201);
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK(error_number([&] { hone::SafetensorsReader reader(folder / "pipe"); }) == 203);
  put_file(folder / "file", with_length("{}"));
  fs::create_symlink("file", folder / "link");
  CHECK(hone::SafetensorsReader(folder / "link").tensors().empty());
}

TEST_CASE("a file without read permission") {
  if (::geteuid() == 0) HONE_SKIP("root may read everything");
  TemporaryFolder folder;
  put_file(folder / "file", with_length("{}"));
  REQUIRE(::chmod((folder / "file").c_str(), 0) == 0);
  CHECK(error_number([&] { hone::SafetensorsReader reader(folder / "file"); }) == 202);
}

TEST_CASE("a file that is cut short after it was opened is an error, not a signal") {
  TemporaryFolder folder;
  std::string const bytes = with_length(R"({"w":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})") + repeat('\0', 16);
  put_file(folder / "w", bytes);
  hone::SafetensorsReader const reader(folder / "w");
  REQUIRE(::truncate((folder / "w").c_str(), static_cast<off_t>(bytes.size()) - 4) == 0);
  CHECK(error_number([&] { reader.read<float>("w"); }) == 206);
  CHECK(error_number([&] { reader.read<double>("w"); }) == 206);
}

TEST_CASE("values are converted exactly where they can be, and refused where they cannot") {
  TemporaryFolder folder;
  std::vector<double> const f64{1.0 / 3, 1e300, -0.0, std::numeric_limits<double>::infinity()};
  std::vector<float> const f32{0.1f, -3e38f};
  std::vector<std::uint16_t> const f16{0x3555, 0x8001, 0x7bff}, bf16{0x3eab, 0x0001, 0xff80};
  std::vector<std::int64_t> const i64{2147483647, 2147483648, -1};
  std::vector<std::uint64_t> const u64{~std::uint64_t{0}};
  std::vector<std::uint8_t> const flags{0, 1, 2};
  std::vector<std::int8_t> const i8{-128, 127};
  std::vector<float> const complex{1, 2};
  std::vector<hone::TensorToWrite> const tensors{
      {"f64", DType::F64, {4}, f64.data()},        {"f32", DType::F32, {2}, f32.data()},
      {"f16", DType::F16, {3}, f16.data()},        {"bf16", DType::BF16, {3}, bf16.data()},
      {"i64", DType::I64, {3}, i64.data()},        {"u64", DType::U64, {}, u64.data()},
      {"flags", DType::BOOL, {3}, flags.data()},   {"i8", DType::I8, {2}, i8.data()},
      {"f4", DType::F4, {4}, f16.data()},          {"f8", DType::F8_E4M3, {2}, i8.data()},
      {"complex", DType::C64, {1}, complex.data()}};
  hone::write_safetensors(folder / "w", tensors);
  hone::SafetensorsReader const reader(folder / "w");

  CHECK(reader.read<double>("f64") == f64);
  CHECK(reader.read<float>("f32") == f32);
  CHECK(reader.read<double>("f32") == std::vector<double>{0.1f, -3e38f});
  CHECK(reader.read<double>("f16") == std::vector<double>{0x1.554p-2, -0x1p-24, 65504});
  CHECK(reader.read<float>("bf16") == std::vector<float>{0x1.56p-2f, 0x1p-133f, -std::numeric_limits<float>::infinity()});
  CHECK(reader.read<std::int64_t>("i64") == i64);
  CHECK(reader.read<std::int32_t>("flags") == std::vector<std::int32_t>{0, 1, 1});
  CHECK(reader.read<std::int16_t>("i8") == std::vector<std::int16_t>{-128, 127});

  std::string text;
  CHECK(error_number([&] { reader.read<float>("f64"); }, &text) == 234);  // 1e300
  CHECK(text.find("tensor f64") != std::string::npos);
  CHECK(error_number([&] { reader.read<std::int32_t>("i64"); }) == 234);
  CHECK(error_number([&] { reader.read<std::int64_t>("u64"); }) == 234);
  CHECK(error_number([&] { reader.read<std::uint8_t>("i8"); }) == 234);
  for (char const* name : {"f4", "f8", "complex", "i64", "flags"}) {
    CHECK(error_number([&] { reader.read<float>(name); }, &text) == 231);
    CHECK(text.find(std::string("tensor ") + name) != std::string::npos);
  }
  for (char const* name : {"f4", "f8", "complex", "f32", "f16"}) CHECK(error_number([&] { reader.read<int>(name); }) == 231);
  CHECK(error_number([&] { reader.read<float>("none"); }) == 232);
  std::vector<float> wrong(3);
  CHECK(error_number([&] { reader.read(reader.at("f32"), std::span<float>(wrong)); }, &text) == 233);
  CHECK(text.find("found (2), allowed 3 elements") != std::string::npos);
}

TEST_CASE("every half and bfloat16 number has its value") {
  std::size_t wrong = 0;
  for (std::uint32_t i = 0; i < 65536; ++i) {
    auto const bits16 = static_cast<std::uint16_t>(i);
    auto const expected = [&](int exponent_bits, int fraction_bits) {  // from the definition of the formats
      int const exponent = (bits16 >> fraction_bits) & ((1 << exponent_bits) - 1), bias = (1 << (exponent_bits - 1)) - 1;
      double const fraction = std::ldexp(bits16 & ((1 << fraction_bits) - 1), -fraction_bits);
      double value = exponent == 0 ? std::ldexp(fraction, 1 - bias) : std::ldexp(1 + fraction, exponent - bias);
      if (exponent == (1 << exponent_bits) - 1) value = fraction == 0 ? HUGE_VAL : std::nan("");
      return bits16 >> 15 ? -value : value;
    };
    auto const same = [](float a, double b) {
      return std::isnan(b) ? std::isnan(a) : a == b && std::signbit(a) == std::signbit(b);
    };
    wrong += !same(hone::float_from_half(bits16), expected(5, 10));
    wrong += !same(hone::float_from_bfloat16(bits16), expected(8, 7));
  }
  CHECK(wrong == 0);
}

TEST_CASE("a tensor larger than the conversion buffer, at an odd address") {
  TemporaryFolder folder;
  std::vector<float> values(100'003);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) * 0.37f - 1000;
  std::string const size = std::to_string(values.size()), end = std::to_string(1 + 4 * values.size());
  put_file(folder / "w", with_length(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"F32","shape":[)" +
                                     size + R"(],"data_offsets":[1,)" + end + "]}}") +
                             "x" + bytes_of(values));
  hone::SafetensorsReader const reader(folder / "w");
  CHECK(reader.read<float>("b") == values);
  CHECK(reader.read<double>("b") == std::vector<double>(values.begin(), values.end()));
}

TEST_CASE("the writer gives the bytes of the reference library") {
  TemporaryFolder folder;
  std::vector<std::int32_t> const zeros(16);
  auto const written = [&](std::vector<hone::TensorToWrite> const& tensors,
                           std::map<std::string, std::string> const& metadata) {
    hone::write_safetensors(folder / "w", tensors, metadata);
    return hone::read_file(folder / "w", 1 << 20);
  };
  CHECK(written({}, {}) == std::string("\x08\0\0\0\0\0\0\0{}      ", 16));
  CHECK(written({{"test", DType::I32, {2, 2}, zeros.data()}}, {}) ==
        std::string("\x40\0\0\0\0\0\0\0", 8) + R"({"test":{"dtype":"I32","shape":[2,2],"data_offsets":[0,16]}}    )" +
            repeat('\0', 16));
  std::string const two =
      written({{"test2", DType::F16, {2, 2}, zeros.data()}, {"test1", DType::I32, {2, 2}, zeros.data()}}, {});
  CHECK(two == std::string("\x80\0\0\0\0\0\0\0", 8) +
                   R"({"test1":{"dtype":"I32","shape":[2,2],"data_offsets":[0,16]},)"
                   R"("test2":{"dtype":"F16","shape":[2,2],"data_offsets":[16,24]}}      )" +
                   repeat('\0', 24));
  CHECK(written({{"test1", DType::I32, {2, 2}, zeros.data()}}, {{"framework", "pt"}}) ==
        std::string("\x60\0\0\0\0\0\0\0", 8) +
            R"({"__metadata__":{"framework":"pt"},"test1":{"dtype":"I32","shape":[2,2],"data_offsets":[0,16]}} )" +
            repeat('\0', 16));
  CHECK(written({{"x", DType::U8, {1}, zeros.data()}}, {{"a\"\n", "\\\x01\xc3\xa9"}})
            .find(R"({"a\"\n":"\\\u0001)"
                  "\xc3\xa9\"}") != std::string::npos);
}

TEST_CASE("the writer refuses what the reader would not take") {
  TemporaryFolder folder;
  float const value = 1;
  auto const number = [&](hone::TensorToWrite const& tensor) {
    return error_number([&] { hone::write_safetensors(folder / "w", std::span(&tensor, 1)); });
  };
  CHECK(number({"", DType::F32, {1}, &value}) == 239);
  CHECK(number({"__metadata__", DType::F32, {1}, &value}) == 239);
  CHECK(number({std::string("a\0b", 3), DType::F32, {1}, &value}) == 239);
  CHECK(number({"\xff", DType::F32, {1}, &value}) == 239);
  CHECK(number({"w", DType::F32, {-1}, &value}) == 239);
  CHECK(number({"w", DType::F32, {std::int64_t{1} << 48}, &value}) == 239);
  CHECK(number({"w", DType::F32, std::vector<std::int64_t>(65, 1), &value}) == 239);
  CHECK(number({"w", DType::F32, {std::int64_t{1} << 40, std::int64_t{1} << 40}, &value}) == 225);
  CHECK(number({"w", DType::F32, {std::int64_t{1} << 47}, &value}) == 239);  // the file would be too large
  CHECK(number({"w", DType::F4, {3}, &value}) == 225);
  CHECK(number({"w", DType::F32, {1}, nullptr}) == 239);
  std::vector<hone::TensorToWrite> const twice{{"w", DType::F32, {1}, &value}, {"w", DType::F64, {0}, &value}};
  CHECK(error_number([&] { hone::write_safetensors(folder / "w", twice); }) == 239);
  CHECK(error_number([&] { hone::write_safetensors(folder / "w", {}, {{"a", "\xc0\xaf"}}); }) == 239);
  CHECK(error_number([&] { hone::write_safetensors(folder / "w", {}, {{"a", repeat('x', 100'000'000)}}); }) == 221);
  CHECK(error_number([&] { hone::write_safetensors(folder / "no/w", {}); }) == 703);
  CHECK(fs::is_empty(folder.path()));
  CHECK(number({"w", DType::F32, {3, 0}, nullptr}) == 0);  // nothing to store
}

TEST_CASE("what is written is read back, whatever the order, and every tensor is aligned") {
  TemporaryFolder folder;
  std::mt19937 random(7);
  auto const upto = [&](std::size_t n) { return random() % n; };
  for (int trial = 0; trial < 100; ++trial) {
    std::vector<std::vector<char>> data;
    std::vector<hone::TensorToWrite> tensors;
    std::map<std::string, std::string> metadata;
    std::size_t const count = 1 + upto(7);
    for (std::size_t i = 0; i < count; ++i) {
      hone::TensorToWrite tensor{.name = std::string(1 + upto(3), static_cast<char>('a' + upto(26))) + std::to_string(i)};
      tensor.dtype = static_cast<DType>(upto(22));
      std::size_t const rank = upto(8);
      std::size_t elements = 1;
      for (std::size_t d = 0; d < rank; ++d) {
        tensor.shape.push_back(static_cast<std::int64_t>(upto(20) == 0 ? 0 : 1 + upto(4)));
        elements *= static_cast<std::size_t>(tensor.shape.back());
      }
      if (hone::bits(tensor.dtype) % 8 != 0) {  // sub-byte elements must fill whole bytes
        tensor.shape.push_back(4);
        elements *= 4;
      }
      auto& bytes = data.emplace_back(elements * hone::bits(tensor.dtype) / 8);
      for (char& byte : bytes) byte = static_cast<char>(random());
      tensor.data = bytes.data();
      tensors.push_back(tensor);
      metadata[std::string("k").append(std::to_string(i))] = tensor.name;
    }
    hone::write_safetensors(folder / "a", tensors, metadata);
    std::string const file = hone::read_file(folder / "a", 1 << 26);
    hone::SafetensorsReader const reader(folder / "a");
    REQUIRE(reader.tensors().size() == count);
    REQUIRE(reader.metadata() == metadata);
    std::size_t const start = 8 + static_cast<unsigned char>(file[0]) + 256u * static_cast<unsigned char>(file[1]);
    REQUIRE(start % 8 == 0);
    for (std::size_t i = 0; i < count; ++i) {
      hone::TensorInfo const& info = reader.at(tensors[i].name);
      REQUIRE(info.dtype == tensors[i].dtype);
      REQUIRE(info.shape == tensors[i].shape);
      REQUIRE(std::equal(data[i].begin(), data[i].end(), file.begin() + static_cast<std::ptrdiff_t>(start + info.begin),
                         file.begin() + static_cast<std::ptrdiff_t>(start + info.end)));
      if (hone::bits(info.dtype) >= 8) REQUIRE(info.begin % (hone::bits(info.dtype) / 8) == 0);
    }
    std::shuffle(tensors.begin(), tensors.end(), random);
    hone::write_safetensors(folder / "b", tensors, metadata);
    REQUIRE(hone::read_file(folder / "b", 1 << 26) == file);
  }
}

namespace {

/// A model folder of two files and an index, from which the tests below take something away.
struct ShardedModel {
  TemporaryFolder folder;
  std::vector<float> a{1, 2}, b{3}, c{4, 5, 6};
  ShardedModel() {
    std::vector<hone::TensorToWrite> const first{{"c", DType::F32, {3}, c.data()}, {"a", DType::F32, {2}, a.data()}};
    std::vector<hone::TensorToWrite> const second{{"b", DType::F32, {1}, b.data()}};
    hone::write_safetensors(folder / "model-00001-of-00002.safetensors", first);
    hone::write_safetensors(folder / "model-00002-of-00002.safetensors", second);
    index(R"("a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors",)"
          R"("c":"model-00001-of-00002.safetensors")");
  }
  void index(std::string const& map) { put(R"({"metadata":{"total_size":24},"weight_map":{)" + map + "}}"); }
  void put(std::string const& json) { put_file(folder / "model.safetensors.index.json", json); }
  int open_error() const {
    return error_number([&] { hone::ModelWeights::open(folder.path()); });
  }
};

}  // namespace

TEST_CASE("a sharded model reads as one") {
  ShardedModel model;
  hone::ModelWeights const weights = hone::ModelWeights::open(model.folder.path());
  REQUIRE(weights.tensors().size() == 3);
  CHECK(weights.tensors()[0].name == "a");
  CHECK(weights.read<float>("a") == model.a);
  CHECK(weights.read<double>("b") == std::vector<double>{3});
  CHECK(weights.read<float>("c") == model.c);
  std::vector<float> out(3);
  weights.read(*weights.find("c"), std::span<float>(out));
  CHECK(out == model.c);
  CHECK(weights.find("d") == nullptr);
  CHECK(error_number([&] { weights.read<float>("d"); }) == 232);
  CHECK(weights.file_of("b").filename() == "model-00002-of-00002.safetensors");
  CHECK(weights.metadata().at("format") == "pt");

  SECTION("one file beside it wins, as in transformers") {
    hone::write_safetensors(model.folder / "model.safetensors", {});
    CHECK(hone::ModelWeights::open(model.folder.path()).tensors().empty());
  }
  SECTION("a file is taken as it is") {
    CHECK(hone::ModelWeights::open(model.folder / "model-00002-of-00002.safetensors").tensors().size() == 1);
  }
}

TEST_CASE("an index that is wrong") {
  ShardedModel model;
  std::string const one = "\"model-00001-of-00002.safetensors\"", two = "\"model-00002-of-00002.safetensors\"";
  SECTION("malformed") {
    for (char const* json : {"[]", "{}", R"({"weight_map":[]})", R"({"weight_map":{}})", R"({"weight_map":{"a":1}})"}) {
      model.put(json);
      CHECK(model.open_error() == 235);
    }
    model.put(R"({"weight_map":{"a":"x","a":"y"}})");
    CHECK(model.open_error() == 215);
    model.put("{");
    CHECK(model.open_error() == 210);
  }
  SECTION("paths that leave the folder") {
    for (char const* name : {"../x", "/etc/passwd", "a/b", "..", ".", "", R"(a\\b)", R"(a\u0000b)", "x..safetensors"}) {
      model.index("\"a\":\"" + std::string(name) + "\"");
      CHECK(model.open_error() == 236);
    }
  }
  SECTION("files that are missing or hold something else") {
    model.index("\"a\":" + one + ",\"b\":" + two + ",\"c\":\"none\"");
    CHECK(model.open_error() == 201);
    model.index("\"a\":" + one + ",\"b\":" + two);  // c is in the first file
    CHECK(model.open_error() == 237);
    model.index("\"a\":" + one + ",\"b\":" + two + ",\"c\":" + two);
    CHECK(model.open_error() == 237);
    model.index("\"a\":" + one + ",\"b\":" + two + ",\"c\":" + one + ",\"d\":" + two);
    CHECK(model.open_error() == 237);
    fs::copy_file(model.folder / "model-00002-of-00002.safetensors", model.folder / "model-00003-of-00002.safetensors");
    model.index("\"a\":" + one + ",\"b\":" + two + ",\"c\":" + one +
                R"(,"d":"model-00003-of-00002.safetensors")");  // b twice
    CHECK(model.open_error() == 237);
  }
}

TEST_CASE("folders without weights") {
  TemporaryFolder folder;
  std::string text;
  CHECK(error_number([&] { hone::ModelWeights::open(folder.path()); }) == 238);
  CHECK(error_number([&] { hone::ModelWeights::open(folder / "none"); }) == 238);
  put_file(folder / "pytorch_model.bin", "x");
  CHECK(error_number([&] { hone::ModelWeights::open(folder.path()); }, &text) == 238);
  CHECK(text.find("convert") != std::string::npos);
  fs::create_directory(folder / "model.safetensors");
  CHECK(error_number([&] { hone::ModelWeights::open(folder.path()); }) == 203);
}

TEST_CASE("files of other programs") {
  fs::path const data = hone::test::shared_data();
  if (data.empty()) HONE_SKIP("no shared data");
  int files = 0;
  for (auto const& entry : fs::recursive_directory_iterator(data)) {
    if (entry.path().extension() != ".safetensors") continue;
    INFO(entry.path());
    ++files;
    hone::SafetensorsReader const reader(entry.path());
    CHECK_FALSE(reader.tensors().empty());
    // Written again by us, it holds the same tensors.
    std::vector<hone::TensorToWrite> tensors;
    std::vector<std::vector<double>> values;
    if (fs::file_size(entry.path()) > 4'000'000) continue;
    for (hone::TensorInfo const& info : reader.tensors()) {
      if (info.dtype != DType::F32 && info.dtype != DType::F64) continue;
      values.push_back(reader.read<double>(info.name));
      tensors.push_back({info.name, DType::F64, info.shape, values.back().data()});
    }
    TemporaryFolder folder;
    hone::write_safetensors(folder / "w", tensors);
    hone::SafetensorsReader const again(folder / "w");
    REQUIRE(again.tensors().size() == tensors.size());
    for (std::size_t i = 0; i < tensors.size(); ++i) CHECK(again.read<double>(tensors[i].name) == values[i]);
  }
  CHECK(files > 0);
}

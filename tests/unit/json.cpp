#include "hone/io/json.hpp"

#include <nlohmann/json.hpp>
#include <utility>

#include "hone/core/atomic_file.hpp"
#include "hone/io/json_box.hpp"
#include "support/catch.hpp"
#include "support/error_matcher.hpp"
#include "support/temporary_folder.hpp"

using hone::test::error_number;

namespace {

int verdict(std::string const& text, std::string* message = nullptr) {
  return error_number([&] { hone::parse_json(text, "f.json"); }, message);
}

}  // namespace

TEST_CASE("documents are those that nlohmann's own parser builds") {
  for (char const* text : {"null", "true", "-1", "18446744073709551615", "-9223372036854775808", "1.5e3", "\"a\\u00e9\\n\"",
                           "[]", "{}", "[1,[2,[]],{\"a\":[{}]}]", " {\"a\" : {\"b\":1,\"c\":[true,null]}, \"d\":\"\"}\n",
                           "{\"\\ud83d\\ude00\":0,\"\":1}"}) {
    INFO(text);
    CHECK(hone::parse_json(text, "f") == nlohmann::json::parse(text));
    CHECK(hone::parse_json(text, "f").dump() == nlohmann::json::parse(text).dump());
  }
}

TEST_CASE("what is not JSON is refused") {
  for (char const* text : {"",
                           " ",
                           "{",
                           "}",
                           "[1,]",
                           "{\"a\":1,}",
                           "{'a':1}",
                           "{a:1}",
                           "01",
                           "+1",
                           "1.",
                           ".5",
                           "NaN",
                           "Infinity",
                           "0x1",
                           "tru",
                           "\"\x01\"",
                           "\"\\x\"",
                           "\"\\ud800\"",
                           "\"\\udc00\\ud800\"",
                           "\"\xff\"",
                           "\"\xc0\xaf\"",
                           "\"\xed\xa0\x80\"",
                           "1 2",
                           "{}x",
                           "/**/1",
                           "//\n1",
                           "\xef\xbb\xbf{}",
                           "1e999",
                           "{\"a\" 1}",
                           "\"a"}) {
    INFO(text);
    CHECK(verdict(text) == 210);
  }
  CHECK(verdict(std::string("{}\0", 3)) == 210);
  CHECK(verdict(std::string("{}\0}", 4)) == 210);
}

TEST_CASE("the error has line and byte") {
  std::string message;
  CHECK(verdict("{\n  \"a\": 1,\n  \"b\": x\n}", &message) == 210);
  CHECK(message.find("(file f.json, line 3, byte 19)") != std::string::npos);
}

TEST_CASE("a key twice in one object, but not in two") {
  CHECK(verdict(R"({"a":1,"b":2,"a":1})") == 215);
  CHECK(verdict(R"({"x":{"a":1,"\u0061":2}})") == 215);
  CHECK(verdict(R"([{"a":1},{"a":1}])") == 0);
  CHECK(verdict(R"({"a":{"a":{"a":[{"a":1}]}},"b":{"a":1}})") == 0);
}

TEST_CASE("nesting is limited") {
  auto const nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  CHECK(verdict(nested(128)) == 0);
  CHECK(verdict(nested(129)) == 214);
  CHECK(verdict(std::string(1 << 20, '[')) == 214);
  std::string objects;
  for (int i = 0; i < 200; ++i) objects += "{\"a\":";
  CHECK(verdict(objects) == 214);
}

TEST_CASE("a file that is too large is not read") {
  hone::test::TemporaryFolder folder;
  hone::write_file_atomically(folder / "f", "[1, 2]");
  CHECK(hone::read_json_file(folder / "f", 6).size() == 2);
  CHECK(error_number([&] { hone::read_json_file(folder / "f", 5); }) == 204);
}

TEMPLATE_TEST_CASE("a box holds a value of its own", "", nlohmann::json, nlohmann::ordered_json) {
  hone::JsonBox<TestType> box;
  hone::JsonBox<TestType> const& as_const = box;
  CHECK(box.is_null());
  CHECK(as_const->is_null());

  (*box)["a"] = 1;
  CHECK_FALSE(box.is_null());
  auto copy = box;
  (*copy)["a"] = 2;
  CHECK(as_const->at("a") == 1);
  CHECK(copy->at("a") == 2);

  auto const moved = std::move(copy);
  CHECK(moved->at("a") == 2);
  box = moved;
  CHECK(*box == *moved);
  box = TestType::parse("[3, null]");
  CHECK(box->size() == 2);
  CHECK(*hone::JsonBox<TestType>(*moved) == *moved);
  CHECK(hone::JsonBox<TestType>(TestType()).is_null());
}

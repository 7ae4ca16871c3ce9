#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "hone/report/protobuf.hpp"
#include "support/catch.hpp"

using hone::detail::Presence;
using hone::detail::ProtobufReader;
using hone::detail::ProtobufWriter;

namespace {

std::string hex(std::string const& bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (char const c : bytes) {
    auto const byte = static_cast<unsigned char>(c);
    (out += digits[byte >> 4]) += digits[byte & 15];
  }
  return out;
}

}  // namespace

TEST_CASE("the examples of protobuf.dev's page on the encoding") {
  CHECK(hex(ProtobufWriter().integer(1, 150).bytes()) == "089601");
  CHECK(hex(ProtobufWriter().text(2, "testing").bytes()) == "120774657374696e67");
  CHECK(hex(ProtobufWriter().message(3, ProtobufWriter().integer(1, 150)).bytes()) == "1a03089601");
  std::vector<std::int64_t> const packed{3, 270, 86942};
  CHECK(hex(ProtobufWriter().packed_integers(6, packed).bytes()) == "3206038e029ea705");
  CHECK(hex(ProtobufWriter().integer(1, -2).bytes()) == "08feffffffffffffffff01");
}

TEST_CASE("fixed fields are little-endian, fields from 16 have tags of two bytes") {
  CHECK(hex(ProtobufWriter().real(1, 1.0).bytes()) == "09000000000000f03f");
  CHECK(hex(ProtobufWriter().real32(2, -2.0f).bytes()) == "15000000c0");
  CHECK(hex(ProtobufWriter().text(16, "a").bytes()) == "82010161");
  CHECK(hex(ProtobufWriter().integer(200, 1).bytes()) == "c00c01");
  CHECK(hex(ProtobufWriter().packed_reals(1, std::vector<double>{1.0}).bytes()) == "0a08000000000000f03f");
  CHECK(hex(ProtobufWriter().packed_reals32(1, std::vector<float>{1.0f}).bytes()) == "0a040000803f");
}

TEST_CASE("defaults are left out unless asked for, an empty message is written") {
  CHECK(ProtobufWriter().integer(1, 0).real(2, 0.0).real32(3, 0.0f).text(4, "").packed_integers(5, {}).bytes().empty());
  CHECK(ProtobufWriter().packed_reals(1, {}).packed_reals32(1, {}).bytes().empty());
  CHECK(hex(ProtobufWriter().integer(1, 0, Presence::always).bytes()) == "0800");
  CHECK(hex(ProtobufWriter().real32(2, 0.0f, Presence::always).bytes()) == "1500000000");
  CHECK(hex(ProtobufWriter().real(2, -0.0).bytes()) == "110000000000000080");
  CHECK(hex(ProtobufWriter().message(2, ProtobufWriter()).bytes()) == "1200");
}

TEST_CASE("what is written is read back") {
  auto const bytes = ProtobufWriter()
                         .integer(1, std::numeric_limits<std::int64_t>::min())
                         .real(2, -1.5)
                         .real32(3, 0.25f)
                         .text(100, std::string("a\0b", 3))
                         .bytes();
  ProtobufReader reader(bytes);
  CHECK(static_cast<std::int64_t>(reader.next()->value) == std::numeric_limits<std::int64_t>::min());
  CHECK(reader.next()->value == 0xbff8000000000000u);
  CHECK(reader.next()->value == 0x3e800000u);
  auto const text = reader.next();
  CHECK(text->number == 100);
  CHECK(text->bytes == std::string_view("a\0b", 3));
  CHECK(!reader.next());
  CHECK(!reader.broken());
}

TEST_CASE("damaged messages end the walk") {
  auto broken = [](std::string_view bytes) {
    ProtobufReader reader(bytes);
    while (reader.next()) {}
    return reader.broken();
  };
  CHECK(!broken(""));
  CHECK(broken("\x08"));                                                                // no value
  CHECK(broken("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80"));                    // a number without end
  CHECK(broken(std::string_view("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 11)));  // 65 bits
  CHECK(broken("\x0a\x05xyz"));                                                         // text longer than the rest
  CHECK(broken("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));                        // as long as 2^64 - 1
  CHECK(broken("\x0b\x0c"));                                                            // a group
  CHECK(broken(std::string_view("\x00\x01", 2)));                                       // field 0
  CHECK(
      broken("\x09"
             "1234567"));  // seven of eight bytes
}

#include <string>

#include "hone/core/base64.hpp"
#include "hone/core/md5.hpp"
#include "support/catch.hpp"

namespace {

std::string md5(std::string_view bytes, std::size_t cut = 0) {
  hone::detail::Md5 sum;
  sum.update(bytes.substr(0, cut));
  sum.update(bytes.substr(cut));
  return hone::detail::hexadecimal(sum.digest());
}

}  // namespace

TEST_CASE("MD5 has the values of RFC 1321, section A.5") {
  CHECK(md5("") == "d41d8cd98f00b204e9800998ecf8427e");
  CHECK(md5("a") == "0cc175b9c0f1b6a831c399e269772661");
  CHECK(md5("abc") == "900150983cd24fb0d6963f7d28e17f72");
  CHECK(md5("message digest") == "f96b697d7cb7938d525a2f31aaf161d0");
  CHECK(md5("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") == "d174ab98d277d9f5a5611c2c9f419d9f");
  CHECK(md5("12345678901234567890123456789012345678901234567890123456789012345678901234567890") ==
        "57edf4a22be3c955ac49da2e2107b67a");
}

TEST_CASE("MD5 does not depend on how the bytes are cut") {
  std::string const bytes(200, 'x');
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) CHECK(md5(bytes, cut) == md5(bytes));
  CHECK(md5(bytes) == "30a83621ce5422fbdfdd539777458c78");
}

TEST_CASE("Base64 has the values of RFC 4648, section 10") {
  using hone::detail::base64;
  CHECK(base64("") == "");
  CHECK(base64("f") == "Zg==");
  CHECK(base64("fo") == "Zm8=");
  CHECK(base64("foo") == "Zm9v");
  CHECK(base64("foobar") == "Zm9vYmFy");
  CHECK(base64("\xfb\xff\xfe") == "+//+");
  CHECK(base64("\xfb\xff\xfe", true) == "-__-");
  CHECK(base64("f", true) == "Zg");
}

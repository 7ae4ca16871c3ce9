#include "hone/io/ledger.hpp"

#include "support/catch.hpp"
#include "support/error_matcher.hpp"

using hone::Ledger;
using hone::LedgerState;

namespace {

Ledger sample() {
  Ledger ledger;
  ledger.add({.tensor = "encoder.w", .parameter = "bert.encoder.w", .shape = {2, 3}});
  ledger.add({.parameter = "head.w", .state = LedgerState::created, .reason = "not in the file: initialised", .shape = {2}});
  ledger.add({.tensor = "pooler.w", .state = LedgerState::ignored, .reason = "not used", .shape = {}});
  return ledger;
}

}  // namespace

TEST_CASE("a ledger without problems") {
  Ledger const ledger = sample();
  CHECK(ledger.ok());
  CHECK_NOTHROW(ledger.require_ok("f"));
  CHECK(ledger.count(LedgerState::loaded) == 1);
  CHECK(ledger.count(LedgerState::missing) == 0);
  CHECK(ledger.summary() == "loaded 1\nnew 1: head.w\nignored 1: pooler.w (not used)\n");
  CHECK(ledger.table() ==
        "ignored     pooler.w   ()              not used\n"
        "new         head.w     (2)             not in the file: initialised\n"
        "loaded      encoder.w  (2, 3)          as bert.encoder.w\n");
}

TEST_CASE("problems come first in the table, and the error names them") {
  Ledger ledger = sample();
  ledger.add({.tensor = "a",
              .parameter = "a",
              .state = LedgerState::mismatched,
              .reason = "shape (1) in the file, (2) in the model"});
  ledger.add({.parameter = "b", .state = LedgerState::missing, .reason = "not in the file"});
  CHECK_FALSE(ledger.ok());
  CHECK(ledger.table().find("MISMATCHED  a") == 0);
  std::string text;
  CHECK(hone::test::error_number([&] { ledger.require_ok("m.safetensors"); }, &text) == 510);
  CHECK(text.find("a: shape (1) in the file, (2) in the model; b: not in the file (file m.safetensors, tensor a)") !=
        std::string::npos);
}

TEST_CASE("a long list of problems is cut, and names from files are made harmless") {
  Ledger ledger;
  for (int i = 0; i < 1000; ++i)
    ledger.add(
        {.parameter = std::string("p").append(std::to_string(i)).append("\x1b[31m"), .state = LedgerState::missing, .reason = "not in the file"});
  std::string text;
  CHECK(hone::test::error_number([&] { ledger.require_ok("f"); }, &text) == 510);
  CHECK(text.find("p4?[31m: not in the file; and 995 more") != std::string::npos);
  CHECK(text.find('\x1b') == std::string::npos);
  CHECK(ledger.summary().find("MISSING 1000: p0?[31m (not in the file)") == 0);
  CHECK(ledger.summary().size() < 300);
  CHECK(ledger.table().find('\x1b') == std::string::npos);
}

TEST_CASE("an empty ledger is fine") {
  CHECK(Ledger().ok());
  CHECK(Ledger().summary().empty());
  CHECK(Ledger().table().empty());
}

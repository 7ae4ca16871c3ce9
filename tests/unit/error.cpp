// The one exception type: its text, and that empty fields are left out.
#include "hone/core/error.hpp"

#include <string>

#include "support/catch.hpp"

TEST_CASE("what() names number, place and next action") {
  hone::Error const error(231, "the header is cut off", {.file = "model.safetensors", .offset = 8, .value = "12 bytes"},
                          "download the file again");
  CHECK(std::string(error.what()) ==
        "[hone-E231] the header is cut off (file model.safetensors, byte 8, found 12 bytes). Next: download the file again.");
  CHECK(error.number() == 231);
  CHECK(error.where().file == "model.safetensors");
}

TEST_CASE("without a place there are no brackets") {
  hone::Error const error(701, "out of memory", {}, "use a smaller batch");
  CHECK(std::string(error.what()) == "[hone-E701] out of memory. Next: use a smaller batch.");
}

TEST_CASE("every field is printed in one order") {
  hone::Error const error(402, "a label is out of range",
                          {.file = "f", .tensor = "t", .line = 0, .offset = 0, .value = "7", .allowed = "0..1"}, "mend it");
  CHECK(std::string(error.what()) ==
        "[hone-E402] a label is out of range (file f, tensor t, line 0, byte 0, found 7, allowed 0..1). Next: mend it.");
}

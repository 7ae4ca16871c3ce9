// What goes to a stream, read back; and a step report with a value in every field that a terminal shows.
#pragma once

#include <cstdio>
#include <string>

#include "hone/train/step_report.hpp"
#include "support/catch.hpp"

namespace hone::test {

/// A stream that is read back.
class Written {
 public:
  Written() : stream_(std::tmpfile()) {}
  Written(Written const&) = delete;
  Written& operator=(Written const&) = delete;
  ~Written() { std::fclose(stream_); }
  std::FILE* stream() { return stream_; }
  std::string text() {
    std::fflush(stream_);
    std::string all(static_cast<std::size_t>(std::ftell(stream_)), '\0');
    std::rewind(stream_);
    REQUIRE(std::fread(all.data(), 1, all.size(), stream_) == all.size());
    return all;
  }

 private:
  std::FILE* stream_;
};

/// Step `step` of 100, of two losses.
inline StepReport step_report(Index step, double elapsed = 0, double loss = 0.5) {
  StepReport made;
  made.step = step;
  made.total_steps = 100;
  made.losses = {{"is_positive", loss}, {"star_rating", 2.0}};
  made.accuracy = 0.75;
  made.learning_rate = 1e-5;
  made.grad_norm = 3.25;
  made.examples = 16;
  made.tokens = 4000;
  made.seconds = 2;
  made.elapsed = elapsed;
  return made;
}

}  // namespace hone::test

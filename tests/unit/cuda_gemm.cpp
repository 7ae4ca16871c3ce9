// Matrix products by cuBLASLt, as far as they need no device: which sizes share an algorithm, and algorithms as text.
#include "hone/cuda/gemm_algorithms.hpp"

#include "support/catch.hpp"

namespace {

using namespace hone;
using detail::GemmAlgorithms;
using detail::GemmChoice;
using detail::GemmProblem;

TEST_CASE("sizes share a bucket that is no smaller and at most a quarter larger") {
  CHECK(detail::gemm_bucket(1) == 1);
  CHECK(detail::gemm_bucket(2) == 2);
  CHECK(detail::gemm_bucket(3) == 4);
  CHECK(detail::gemm_bucket(16) == 16);
  CHECK(detail::gemm_bucket(17) == 20);
  CHECK(detail::gemm_bucket(1024) == 1024);
  CHECK(detail::gemm_bucket(1025) == 1280);
  CHECK(detail::gemm_bucket(4491) == 5120);
  CHECK(detail::gemm_bucket(8192) == 8192);
  Index before = 0;
  std::size_t buckets = 0;
  for (Index rows = 1; rows <= 20000; ++rows) {
    Index const bucket = detail::gemm_bucket(rows);
    if (bucket < rows || bucket < before || (rows > 16 && 4 * bucket > 5 * rows + 4))
      FAIL(rows << " is in bucket " << bucket);
    if (detail::gemm_bucket(bucket) != bucket) FAIL("bucket " << bucket << " is not in itself");
    buckets += bucket != before;
    before = bucket;
  }
  CHECK(buckets < 50);
}

TEST_CASE("the alignment of an address is the largest power of two that divides it, up to 256") {
  alignas(1024) static unsigned char memory[1024];
  CHECK(detail::gemm_alignment(memory) == 256);
  CHECK(detail::gemm_alignment(memory + 128) == 128);
  CHECK(detail::gemm_alignment(memory + 48) == 16);
  CHECK(detail::gemm_alignment(memory + 2) == 2);
  CHECK(detail::gemm_alignment(memory + 7) == 1);
  CHECK(detail::gemm_alignment(nullptr) == 256);
}

TEST_CASE("only the number of tokens is rounded to a bucket") {
  GemmProblem problem;
  problem[GemmProblem::m] = 1000;
  problem[GemmProblem::n] = 1001;
  problem[GemmProblem::k] = 1003;
  GemmProblem const bucket = bucketed(problem, GemmProblem::n);
  CHECK(bucket[GemmProblem::m] == 1000);
  CHECK(bucket[GemmProblem::n] == 1024);
  CHECK(bucket[GemmProblem::k] == 1003);
  CHECK(!(bucket == problem));
}

GemmProblem problem_of(std::int64_t m) {
  GemmProblem problem;
  for (std::size_t i = 0; i < GemmProblem::fields; ++i) problem.values[i] = static_cast<std::int64_t>(i) + 1;
  problem[GemmProblem::m] = m;
  return problem;
}

GemmAlgorithms some_algorithms() {
  GemmAlgorithms algorithms;
  algorithms.set(problem_of(768), {true, 41.5f, {0xFEDCBA9876543210u, 1, 2, 3, 4, 5, 6, 0xFFFFFFFFFFFFFFFFu}});
  algorithms.set(problem_of(64), {});  // there is none
  return algorithms;
}

TEST_CASE("algorithms come back from their text as they were") {
  std::string const text = some_algorithms().text("a \"device\"", 130100);
  GemmAlgorithms back;
  CHECK(back.read(text, "a \"device\"", 130100) == 2);
  REQUIRE(back.find(problem_of(768)));
  CHECK(back.find(problem_of(768))->exists);
  CHECK(back.find(problem_of(768))->microseconds == 41.5f);
  CHECK(back.find(problem_of(768))->words[0] == 0xFEDCBA9876543210u);
  CHECK(back.find(problem_of(768))->words[7] == 0xFFFFFFFFFFFFFFFFu);
  REQUIRE(back.find(problem_of(64)));
  CHECK(!back.find(problem_of(64))->exists);
  CHECK(back.find(problem_of(65)) == nullptr);
  CHECK(back.text("a \"device\"", 130100) == text);
}

TEST_CASE("algorithms of another device or another cuBLASLt are left out") {
  std::string const text = some_algorithms().text("a", 130100);
  GemmAlgorithms back;
  CHECK(back.read(text, "b", 130100) == 0);
  CHECK(back.read(text, "a", 130200) == 0);
  CHECK(back.size() == 0);
  CHECK(back.read("", "a", 130100) == 0);
  CHECK(back.read("\n\n", "a", 130100) == 0);
}

/// The number of the error that a text is refused with; 0: it was taken.
int refused(std::string const& text) {
  GemmAlgorithms algorithms;
  try {
    static_cast<void>(algorithms.read(text, "a", 130100));
  } catch (Error const& error) {
    CHECK(error.where().line == 1);
    CHECK(algorithms.size() == 0);
    return error.number();
  }
  return 0;
}

TEST_CASE("damaged texts of algorithms are refused with the line, and nothing of them is taken") {
  std::string const good = some_algorithms().text("a", 130100);
  CHECK(refused(good) == 0);
  auto const with = [&good](std::string const& what, std::string const& instead) {
    std::string text = good.substr(good.find('\n') + 1);  // the line of m = 768
    auto const at = text.find(what);
    REQUIRE(at != text.npos);
    return text.replace(at, what.size(), instead);
  };
  CHECK(refused(with("41.5", "41.5")) == 0);
  CHECK(refused(with("41.5", "\"41.5\"")) == 727);
  CHECK(refused(with("41.5", "-1")) == 727);
  CHECK(refused(with("130100", "-5")) == 727);
  CHECK(refused(with("130100", "\"\"")) == 727);
  CHECK(refused(with("\"a\"", "5")) == 727);
  CHECK(refused(with("768", "768.5")) == 727);
  CHECK(refused(with("768", "[]")) == 727);
  CHECK(refused(with("768", "768,1")) == 727);
  CHECK(refused(with("fedcba9876543210", "fedcba987654321")) == 727);
  CHECK(refused(with("fedcba9876543210", "gedcba9876543210")) == 727);
  CHECK(refused(with("\"fedcba9876543210\",", "")) == 727);
  CHECK(refused(with("\"fedcba9876543210\"", "7")) == 727);
  CHECK(refused(with("\"us\"", "\"ms\"")) == 727);
  CHECK(refused("[]") == 727);
  CHECK(refused("7") == 727);
  CHECK(refused("{") == 727);
  CHECK(refused(std::string("\0", 1)) == 727);
  CHECK(refused(good.substr(0, good.size() / 4)) == 727);
}

}  // namespace

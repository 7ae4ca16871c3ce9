// A ragged batch from padded tensors gives what a padded, masked computation gives. The padded computation is here alone:
// plain loops over (B, S) rows, masked keys left out of the softmax.
#include <cmath>

#include "hone/generic/backend.hpp"
#include "support/catch.hpp"
#include "support/error_matcher.hpp"
#include "support/small_bert.hpp"
#include "support/stored_values.hpp"

namespace {

using namespace hone;
using Rows = std::vector<std::vector<double>>;

/// Padded tensors (B, S).
struct Padded {
  Index batch = 0, longest = 0;
  std::vector<std::int32_t> ids{}, mask{}, segments{};
};

class PaddedBert {
 public:
  PaddedBert(BertClassifier<Cpu<fp64>> const& model) : store_(model.parameters()), config_(model.config()) {}

  /// Logits and star ratings; the sentence vector is that of the first token that is not masked.
  std::pair<Rows, std::vector<double>> predict(Padded const& in) const {
    std::pair<Rows, std::vector<double>> out;
    for (Index b = 0; b < in.batch; ++b) {
      std::vector<std::int32_t> const mask(in.mask.begin() + b * in.longest, in.mask.begin() + (b + 1) * in.longest);
      Rows x;
      for (Index s = 0; s < in.longest; ++s)
        x.push_back(embed(in.ids[std::size_t(b * in.longest + s)], s, in.segments[std::size_t(b * in.longest + s)]));
      for (Index l = 0; l < config_.num_hidden_layers; ++l) x = block(x, mask, "bert.encoder.layer." + std::to_string(l));
      std::size_t const first = std::size_t(std::find(mask.begin(), mask.end(), 1) - mask.begin());
      out.first.push_back(linear(x[first], "is_positive"));
      out.second.push_back(5 * linear(x[first], "star_rating")[0] + 5);
    }
    return out;
  }

 private:
  std::vector<double> weights(std::string const& name) const { return store_.get(store_.find(name)); }
  std::vector<double> embed(std::int32_t token, Index position, std::int32_t segment) const {
    auto const word = weights("bert.embeddings.word_embeddings.weight"),
               place = weights("bert.embeddings.position_embeddings.weight");
    auto const type = weights("bert.embeddings.token_type_embeddings.weight");
    std::size_t const width = std::size_t(config_.hidden_size);
    std::vector<double> z(width);
    for (std::size_t c = 0; c < width; ++c)
      z[c] = word[std::size_t(token) * width + c] + place[std::size_t(position) * width + c] +
             type[std::size_t(segment) * width + c];
    return norm(z, "bert.embeddings.LayerNorm");
  }
  std::vector<double> linear(std::vector<double> const& x, std::string const& name) const {
    auto const weight = weights(name + ".weight");
    auto y = weights(name + ".bias");
    for (std::size_t o = 0; o < y.size(); ++o)
      for (std::size_t c = 0; c < x.size(); ++c) y[o] += weight[o * x.size() + c] * x[c];
    return y;
  }
  std::vector<double> norm(std::vector<double> z, std::string const& name) const {
    auto const gamma = weights(name + ".weight"), beta = weights(name + ".bias");
    double mean = 0, variance = 0;
    for (double const v : z) mean += v / double(z.size());
    for (double const v : z) variance += (v - mean) * (v - mean) / double(z.size());
    for (std::size_t c = 0; c < z.size(); ++c)
      z[c] = gamma[c] * (z[c] - mean) / std::sqrt(variance + config_.layer_norm_eps) + beta[c];
    return z;
  }
  Rows block(Rows const& x, std::vector<std::int32_t> const& mask, std::string const& name) const {
    Rows q, k, v, y;
    for (auto const& row : x) {
      q.push_back(linear(row, name + ".attention.self.query"));
      k.push_back(linear(row, name + ".attention.self.key"));
      v.push_back(linear(row, name + ".attention.self.value"));
    }
    std::size_t const heads = std::size_t(config_.num_attention_heads), width = std::size_t(config_.hidden_size) / heads;
    for (std::size_t i = 0; i < x.size(); ++i) {
      std::vector<double> attended(x[i].size());
      for (std::size_t h = 0; h < heads; ++h) {
        std::vector<double> p(x.size());
        double sum = 0;
        for (std::size_t j = 0; j < x.size(); ++j) {
          double s = 0;
          for (std::size_t c = h * width; c < (h + 1) * width; ++c) s += q[i][c] * k[j][c];
          p[j] = mask[j] ? std::exp(s / std::sqrt(double(width))) : 0;
          sum += p[j];
        }
        for (std::size_t j = 0; j < x.size(); ++j)
          for (std::size_t c = h * width; c < (h + 1) * width; ++c) attended[c] += p[j] / sum * v[j][c];
      }
      auto a = linear(attended, name + ".attention.output.dense");
      for (std::size_t c = 0; c < a.size(); ++c) a[c] += x[i][c];
      a = norm(a, name + ".attention.output.LayerNorm");
      auto inner = linear(a, name + ".intermediate.dense");
      for (double& u : inner) u = u / 2 * (1 + std::erf(u / std::sqrt(2.0)));
      auto z = linear(inner, name + ".output.dense");
      for (std::size_t c = 0; c < z.size(); ++c) z[c] += a[c];
      y.push_back(norm(z, name + ".output.LayerNorm"));
    }
    return y;
  }

  ParameterStore<Cpu<fp64>> const& store_;
  BertConfig config_;
};

/// Random tokens everywhere, also where the mask is 0: what is masked must not matter.
Padded random_padded(std::vector<std::vector<std::int32_t>> const& masks, std::uint64_t seed) {
  Padded made;
  made.batch = Index(masks.size());
  made.longest = Index(masks[0].size());
  PhiloxStream random(seed, 1);
  for (auto const& mask : masks)
    for (std::int32_t const m : mask) {
      made.ids.push_back(std::int32_t(random.below(31)));
      made.segments.push_back(std::int32_t(random.below(2)));
      made.mask.push_back(m);
    }
  return made;
}

void check(std::vector<std::vector<std::int32_t>> const& masks) {
  auto model = test::small_bert<Cpu<fp64>>();
  for (std::uint64_t seed = 1; seed <= 2; ++seed) {
    Padded const padded = random_padded(masks, seed);
    auto const [logits, stars] = PaddedBert(model).predict(padded);
    auto const got = model.predict(from_padded(padded.ids, padded.mask, padded.batch, padded.segments));
    std::vector<double> flat;
    for (auto const& row : logits) flat.insert(flat.end(), row.begin(), row.end());
    test::check_stored("logits", got.heads[0].values, flat, 1e-12);
    test::check_stored("stars", got.heads[1].values, stars, 1e-12);
  }
}

TEST_CASE("padding on the right") { check({{1, 1, 1, 1, 1, 1, 1}, {1, 1, 1, 0, 0, 0, 0}, {1, 0, 0, 0, 0, 0, 0}}); }
TEST_CASE("padding on the left keeps the positions") { check({{0, 0, 1, 1, 1, 1}, {1, 1, 1, 1, 1, 1}, {0, 0, 0, 0, 0, 1}}); }
TEST_CASE("masked tokens in the middle") { check({{1, 0, 1, 1, 0, 0, 1, 0}, {1, 1, 1, 0, 0, 0, 0, 1}}); }

TEST_CASE("the ragged batch holds the tokens that are not masked") {
  std::vector<std::int32_t> const ids{7, 8, 9, 1, 2, 3}, mask{1, 0, 1, 0, 1, 1}, types{0, 1, 1, 0, 0, 1};
  auto const batch = from_padded(ids, mask, 2, types);
  CHECK(batch.tokens == std::vector<std::int32_t>{7, 9, 2, 3});
  CHECK(batch.positions == std::vector<std::int32_t>{0, 2, 1, 2});
  CHECK(batch.segments == std::vector<std::int32_t>{0, 1, 0, 1});
  CHECK(batch.offsets == std::vector<std::int32_t>{0, 2, 4});
  CHECK(from_padded(ids, mask, 2).segments == std::vector<std::int32_t>{0, 0, 0, 0});
}

TEST_CASE("padded tensors that are no batch are refused") {
  std::vector<std::int32_t> const six(6, 1), five(5, 1), none(6, 0);
  CHECK(test::error_number([&] { from_padded(six, none, 2); }) == 411);
  CHECK(test::error_number([&] { from_padded(six, five, 2); }) == 413);
  CHECK(test::error_number([&] { from_padded(six, six, 4); }) == 413);
  CHECK(test::error_number([&] { from_padded(six, six, 2, five); }) == 413);
  CHECK(test::error_number([&] { from_padded(six, six, 0); }) == 413);
}

}  // namespace

// What takes seconds before a model trains or answers: loading, reading, tokenising; on a terminal with a bar.
#pragma once

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <utility>

#include <hone/hone.hpp>

#include "demo.hpp"
#include "hone/data/imdb.hpp"

namespace hone::examples {

/// A pretrained or a trained model from its folder. Errors: those of from_pretrained.
template <class M>
M load_model(std::filesystem::path const& folder, typename M::ModelOptions options, Console& console) {
  PassingProgress progress(console, "loading the model: tensor");
  options.on_progress = [&](Index done, Index total) { progress(done, total); };
  return M::from_pretrained(folder, options);
}

/// The reviews of a folder or an archive; without a path generated ones. Errors: those of read_imdb.
inline data::Imdb read_reviews(std::filesystem::path const& path, data::ImdbOptions subset, Console& console) {
  if (path.empty()) return demo_reviews(subset);
  PassingProgress progress(console, "reading reviews:");
  subset.on_progress = [&](std::size_t reviews) { progress(Index(reviews)); };
  return data::read_imdb(path, subset);
}

/// Texts become tokens, [CLS] ... [SEP], without padding; piece by piece, so that it can be seen how far it is.
template <class M>
void tokenise(M& model, data::Dataset& data, Index max_length, Console& console) {
  constexpr std::size_t piece = 1024;
  PassingProgress progress(console, "tokenising");
  data.tokens = {};
  for (std::size_t begin = 0; begin < data.size(); begin += piece) {
    auto const some = std::span<std::string const>(data.texts).subspan(begin, std::min(piece, data.size() - begin));
    RaggedTokens const tokens = model.tokenizer().encode_batch(some, max_length, model.context().pool());
    for (std::size_t i = 0; i < tokens.size(); ++i) data.tokens.push_back(tokens[i]);
    progress(Index(begin + some.size()), Index(data.size()));
  }
}

}  // namespace hone::examples

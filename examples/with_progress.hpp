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
#include "hone/report/console.hpp"
#include "hone/report/progress.hpp"

namespace hone::examples {

/// A pretrained or a trained model from its folder. Errors: those of from_pretrained.
template <class M>
M load_model(std::filesystem::path const& folder, typename M::ModelOptions options, Console& console) {
  PassingProgress progress(console, "loading the model: tensor");
  options.on_progress = [&](Index done, Index total) { progress(done, total); };
  return M::from_pretrained(folder, options);
}

/// The cache that --token-cache names: "off", a folder, or if not given the user's. In a folder that was asked for small
/// data are kept too.
inline data::TokenCache token_cache(std::string const& option) {
  if (option == "off") return {};
  if (option.empty()) return data::TokenCache(data::default_token_cache_folder());
  data::TokenCacheLimits limits;
  limits.least = 0;
  return data::TokenCache(option, limits);
}

/// The reviews of a folder or an archive as tokens, cut at subset.max_length; from the cache if they are there.
/// Errors: those of read_imdb. What is wrong with a cache is a line on the console.
inline data::Imdb tokenised_reviews(Tokenizer const& tokenizer, ThreadPool& pool, std::filesystem::path const& path,
                                    data::ImdbOptions subset, std::string const& cache_option, Console& console) {
  data::TokenCache cache = token_cache(cache_option);
  data::Imdb reviews;
  {
    PassingProgress progress(console, "reading reviews:");
    subset.on_progress = [&](std::size_t count) { progress(Index(count)); };
    reviews = data::imdb(path, tokenizer, subset, pool, cache);
  }
  for (std::string const& note : cache.notes()) console.print(printable_text(note));
  if (cache.was_read()) console.print("reviews from the token cache " + printable_text(cache.file().string()));
  if (cache.was_written()) console.print("token cache written: " + printable_text(cache.file().string()));
  return reviews;
}
template <class M>
data::Imdb tokenised_reviews(M& model, std::filesystem::path const& path, data::ImdbOptions const& subset,
                             std::string const& cache_option, Console& console) {
  return tokenised_reviews(model.tokenizer(), model.context().pool(), path, subset, cache_option, console);
}

/// Texts become tokens, [CLS] ... [SEP], without padding; piece by piece, so that it can be seen how far it is.
inline void tokenise(Tokenizer const& tokenizer, ThreadPool& pool, data::Dataset& data, Index max_length, Console& console) {
  constexpr std::size_t piece = 1024;
  PassingProgress progress(console, "tokenising");
  data.tokens = {};
  for (std::size_t begin = 0; begin < data.size(); begin += piece) {
    auto const some = std::span<std::string const>(data.texts).subspan(begin, std::min(piece, data.size() - begin));
    RaggedTokens const tokens = tokenizer.encode_batch(some, max_length, pool);
    for (std::size_t i = 0; i < tokens.size(); ++i) data.tokens.push_back(tokens[i]);
    progress(Index(begin + some.size()), Index(data.size()));
  }
}
template <class M>
void tokenise(M& model, data::Dataset& data, Index max_length, Console& console) {
  tokenise(model.tokenizer(), model.context().pool(), data, max_length, console);
}

}  // namespace hone::examples

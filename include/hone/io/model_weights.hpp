// The weights of a Hugging Face model folder: one safetensors file, or several with an index.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/core/error.hpp"
#include "hone/io/json.hpp"
#include "hone/io/safetensors_reader.hpp"

namespace hone {

/// The tensors of `model.safetensors`, or of the files that `model.safetensors.index.json` names, as one set.
///
/// Errors: those of SafetensorsReader; E235 the index is malformed, E236 it names a file outside the folder, E237 it and the
/// files disagree on a tensor, E238 the folder has no weights.
class ModelWeights {
 public:
  /// Opens the weights in `folder`; also takes the path of one .safetensors file.
  static ModelWeights open(std::filesystem::path const& folder);

  /// All tensors, sorted by name. `begin` and `end` are those in the tensor's own file.
  std::vector<TensorInfo> const& tensors() const noexcept { return tensors_; }

  /// The tensor of that name, null if there is none.
  TensorInfo const* find(std::string_view name) const noexcept;

  /// The metadata of the (first) file.
  std::map<std::string, std::string> const& metadata() const noexcept { return files_.front()->metadata(); }

  /// The file that holds a tensor. Errors: E232 there is no such tensor.
  std::filesystem::path const& file_of(std::string_view name) const { return file(name).path(); }

  /// As SafetensorsReader::read.
  template <class T>
  void read(TensorInfo const& tensor, std::span<T> out) const {
    SafetensorsReader const& holder = file(tensor.name);
    holder.read(holder.at(tensor.name), out);
  }
  template <class T>
  std::vector<T> read(std::string_view name) const {
    return file(name).template read<T>(name);
  }

 private:
  static constexpr std::size_t most_files = 4096;  // each keeps a descriptor open

  ModelWeights() = default;

  void add(std::filesystem::path const& path);

  void add_indexed(std::filesystem::path const& folder);

  void sort();

  SafetensorsReader const& file(std::string_view name) const;

  std::vector<std::unique_ptr<SafetensorsReader>> files_;
  std::vector<std::pair<std::string, SafetensorsReader const*>> holders_;  // sorted by name, as tensors_
  std::vector<TensorInfo> tensors_;
};

#if HONE_BODIES

HONE_INLINE void ModelWeights::add_indexed(std::filesystem::path const& folder) {
  std::filesystem::path const index_path = folder / "model.safetensors.index.json";
  std::string const shown = index_path.string();
  nlohmann::json const index = read_json_file(index_path, std::uint64_t{32} << 20);
  auto malformed = [&](char const* happened, std::string const& value) {
    return Error(235, happened, {.file = shown, .value = value, .allowed = "{\"weight_map\": {tensor: file name}}"},
                 "fetch the index again");
  };
  if (!index.is_object() || !index.contains("weight_map") || !index["weight_map"].is_object())
    throw malformed("the index has no weight_map", "");
  std::set<std::string> names;
  for (auto const& [tensor, value] : index["weight_map"].items()) {
    if (!value.is_string()) throw malformed("a file name in weight_map is not a string", detail::printable(tensor));
    auto const& name = value.get_ref<std::string const&>();
    if (name.empty() || name == "." || name.find_first_of(std::string_view("/\\\0", 3)) != name.npos ||
        name.find("..") != name.npos)
      throw Error(236, "the index names a file outside its folder",
                  {.file = shown,
                   .tensor = detail::printable(tensor),
                   .value = detail::printable(name),
                   .allowed = "a plain file name"},
                  "do not use this model folder: its index is damaged or hostile");
    names.insert(name);
  }
  if (names.empty()) throw malformed("the weight_map of the index is empty", "");
  if (names.size() > most_files) throw malformed("the index names too many files", std::to_string(names.size()));
  for (std::string const& name : names) add(folder / name);

  // Index and files must say the same: a tensor in two files, or in a file unknown to the index, could be read two ways.
  auto disagree = [&](char const* happened, std::string const& tensor, std::string const& value) {
    return Error(237, happened, {.file = shown, .tensor = detail::printable(tensor), .value = detail::printable(value)},
                 "fetch the index and the files of the same version of the model");
  };
  nlohmann::json const& map = index["weight_map"];
  for (auto const& [tensor, holder] : holders_) {
    auto const entry = map.find(tensor);
    std::string const where = holder->path().filename().string();
    if (entry == map.end()) throw disagree("a file has a tensor that the index does not name", tensor, where);
    if (entry->get_ref<std::string const&>() != where)
      throw disagree("a tensor is in another file than the index says", tensor, where);
  }
  if (holders_.size() != map.size()) {
    std::set<std::string_view> present;
    for (auto const& [tensor, holder] : holders_) present.insert(tensor);
    for (auto const& [tensor, value] : map.items())
      if (!present.contains(tensor))
        throw disagree("a file lacks a tensor that the index says it has", tensor, value.get<std::string>());
  }
}

HONE_INLINE ModelWeights ModelWeights::open(std::filesystem::path const& folder) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  ModelWeights weights;
  if (fs::is_regular_file(folder, ignored)) {
    weights.add(folder);
  } else if (fs::exists(folder / "model.safetensors", ignored)) {
    weights.add(folder / "model.safetensors");
  } else if (fs::exists(folder / "model.safetensors.index.json", ignored)) {
    weights.add_indexed(folder);
  } else {
    bool const pickled = fs::exists(folder / "pytorch_model.bin", ignored);
    throw Error(238, pickled ? "the folder has its weights as pytorch_model.bin only" : "the folder has no weights",
                {.file = folder.string(), .allowed = "model.safetensors or model.safetensors.index.json"},
                pickled ? "convert them to safetensors, or fetch model.safetensors of the same model"
                        : "check the path of the model folder");
  }
  weights.sort();
  return weights;
}

HONE_INLINE TensorInfo const* ModelWeights::find(std::string_view name) const noexcept {
  auto const found =
      std::lower_bound(tensors_.begin(), tensors_.end(), name,
                       [](TensorInfo const& tensor, std::string_view wanted) { return tensor.name < wanted; });
  return found == tensors_.end() || found->name != name ? nullptr : &*found;
}

HONE_INLINE void ModelWeights::add(std::filesystem::path const& path) {
  auto const& file = files_.emplace_back(std::make_unique<SafetensorsReader>(path));
  for (TensorInfo const& tensor : file->tensors()) holders_.emplace_back(tensor.name, file.get());
}

HONE_INLINE void ModelWeights::sort() {
  std::sort(holders_.begin(), holders_.end());
  tensors_.reserve(holders_.size());
  for (auto const& [name, holder] : holders_) tensors_.push_back(*holder->find(name));
}

HONE_INLINE SafetensorsReader const& ModelWeights::file(std::string_view name) const {
  TensorInfo const* const found = find(name);
  if (found == nullptr) files_.front()->at(name);  // throws
  return *holders_[static_cast<std::size_t>(found - tensors_.data())].second;
}

#endif

}  // namespace hone

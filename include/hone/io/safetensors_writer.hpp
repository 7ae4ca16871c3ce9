// Writing one safetensors file, byte for byte as the reference library lays it out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/core/error.hpp"
#include "hone/core/atomic_file.hpp"
#include "hone/io/dtype.hpp"
#include "hone/io/safetensors_header.hpp"

#if HONE_BODIES
#include <algorithm>
#include <nlohmann/json.hpp>
#endif

namespace hone {

/// A tensor to be written: `data` points to its values, row-major, product(shape) * bits(dtype) / 8 bytes.
struct TensorToWrite {
  std::string name{};
  DType dtype = DType::F32;
  std::vector<std::int64_t> shape{};
  void const* data = nullptr;
};

namespace detail {

/// A JSON string with its quotes. Throws E239 if it is not UTF-8.
std::string json_string(std::string const& text, std::string const& file);

/// The order of the reference library: wide element types first, so that every tensor is aligned; then by name.
std::vector<TensorToWrite const*> writing_order(std::span<TensorToWrite const> tensors, std::string const& file);

#if HONE_BODIES

HONE_INLINE std::string json_string(std::string const& text, std::string const& file) {
  try {
    return nlohmann::json(text).dump();
  } catch (nlohmann::json::exception const&) {
    throw Error(239, "a name or metadata text is not UTF-8", {.file = file, .value = printable(text)}, "give it in UTF-8");
  }
}

HONE_INLINE std::vector<TensorToWrite const*> writing_order(std::span<TensorToWrite const> tensors,
                                                            std::string const& file) {
  std::vector<TensorToWrite const*> order;
  for (TensorToWrite const& tensor : tensors) {
    Where where{.file = file, .tensor = printable(tensor.name)};
    char const* wrong = nullptr;
    if (tensor.name.empty() || tensor.name == "__metadata__" || tensor.name.find('\0') != std::string::npos)
      wrong = "this cannot be the name of a tensor";
    if (tensor.shape.size() > largest_rank) wrong = "the tensor has too many dimensions";
    for (std::int64_t const extent : tensor.shape)
      if (extent < 0 || static_cast<std::uint64_t>(extent) > largest_integer)
        wrong = "an extent is negative or above 2^48 - 1";
    if (wrong != nullptr) throw Error(239, wrong, where, "correct what is to be saved");
    if (checked_bytes(tensor.shape, tensor.dtype, where) > 0 && tensor.data == nullptr)
      throw Error(239, "the tensor has no data", where, "give the address of its values");
    order.push_back(&tensor);
  }
  std::sort(order.begin(), order.end(), [](TensorToWrite const* a, TensorToWrite const* b) { return a->name < b->name; });
  auto const twice = std::adjacent_find(order.begin(), order.end(), [](auto a, auto b) { return a->name == b->name; });
  if (twice != order.end())
    throw Error(239, "two tensors have the same name", {.file = file, .tensor = printable((*twice)->name)},
                "name them apart");
  std::stable_sort(order.begin(), order.end(),
                   [](TensorToWrite const* a, TensorToWrite const* b) { return a->dtype > b->dtype; });
  return order;
}

#endif

}  // namespace detail

/// Writes a safetensors file, whole or not at all (BasicAtomicFile). The weights are not copied. The bytes depend on the set
/// of tensors, not on their order. transformers wants the metadata {"format": "pt"}.
///
/// Errors: E239 a name, shape or text that the format does not allow; E221 more than 100 MB of header; E70x of the disk.
template <class Calls = detail::PosixCalls>
void write_safetensors(std::filesystem::path const& path, std::span<TensorToWrite const> tensors,
                       std::map<std::string, std::string> const& metadata = {{"format", "pt"}}) {
  std::string const file = path.string();
  auto const order = detail::writing_order(tensors, file);

  std::string header = "{";
  auto separate = [&header] { header += header.size() > 1 ? "," : ""; };
  if (!metadata.empty()) {
    header += "\"__metadata__\":{";
    for (auto const& [key, text] : metadata)
      header += (header.back() == '{' ? "" : ",") + detail::json_string(key, file) + ":" + detail::json_string(text, file);
    header += "}";
  }
  std::uint64_t position = 0;
  std::vector<std::uint64_t> sizes;
  for (TensorToWrite const* tensor : order) {
    Where const where{.file = file, .tensor = detail::printable(tensor->name)};
    sizes.push_back(detail::checked_bytes(tensor->shape, tensor->dtype, where));
    std::uint64_t end = 0;
    if (__builtin_add_overflow(position, sizes.back(), &end) || end > detail::largest_integer)
      throw Error(239, "the file would be larger than the format allows", where, "save fewer tensors");
    separate();
    header +=
        detail::json_string(tensor->name, file) + ":{\"dtype\":\"" + std::string(name(tensor->dtype)) + "\",\"shape\":[";
    for (std::size_t i = 0; i < tensor->shape.size(); ++i)
      header.append(i == 0 ? "" : ",").append(std::to_string(tensor->shape[i]));
    header += "],\"data_offsets\":[" + std::to_string(position) + "," + std::to_string(end) + "]}";
    position = end;
  }
  header += "}";
  header.append((8 - header.size() % 8) % 8, ' ');
  if (header.size() > detail::largest_header)
    throw Error(221, "the header would be too large",
                {.file = file, .value = std::to_string(header.size()) + " bytes", .allowed = "at most 100000000 bytes"},
                "save fewer tensors, shorter names or less metadata");

  BasicAtomicFile<Calls> out(path, 8 + header.size() + position);
  std::uint64_t const length = header.size();
  out.write(&length, sizeof length);
  out.write(header);
  for (std::size_t i = 0; i < order.size(); ++i) out.write(order[i]->data, static_cast<std::size_t>(sizes[i]));
  out.commit();
}

}  // namespace hone

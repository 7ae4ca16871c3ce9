// The header of a safetensors file: every rule of the format is checked here, before anything is allocated for data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/core/error.hpp"
#include "hone/io/dtype.hpp"
#include "hone/core/input_file.hpp"

#if HONE_BODIES
#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>

#include "hone/core/json_builder.hpp"
#endif

namespace hone {

/// One tensor of a file. Its bytes are [begin, end) of the data section, little-endian, in row-major order.
struct TensorInfo {
  std::string name{};
  DType dtype = DType::F32;
  std::vector<std::int64_t> shape{};
  std::uint64_t begin = 0, end = 0;

  /// The number of elements: the product of the shape, 1 for a scalar.
  std::uint64_t size() const noexcept {
    std::uint64_t count = 1;
    for (std::int64_t const extent : shape) count *= static_cast<std::uint64_t>(extent);
    return count;  // cannot overflow: checked when the header was read
  }
};

/// A shape as text, "(2, 3)".
inline std::string shape_text(std::vector<std::int64_t> const& shape) {
  std::string text = "(";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return text + ")";
}

namespace detail {

inline constexpr std::uint64_t largest_header = 100'000'000;        // rule 1 of the format
inline constexpr std::uint64_t largest_integer = (1ull << 48) - 1;  // its schema
inline constexpr std::size_t largest_rank = 64;                     // ours, and PyTorch's

struct SafetensorsHeader {
  std::vector<TensorInfo> tensors;     // in the order of their data
  std::vector<std::uint32_t> by_name;  // indices into tensors, sorted by name
  std::map<std::string, std::string> metadata;
};

inline Error header_error(int number, std::string const& happened, Where where) {
  return Error(number, happened, std::move(where),
               "the file is damaged or was not written by a safetensors library: fetch or save it again");
}

/// Bytes of a tensor: product(shape) * bits / 8, every step checked. Throws E225.
inline std::uint64_t checked_bytes(std::vector<std::int64_t> const& shape, DType dtype, Where const& where) {
  std::uint64_t count = 1;
  bool overflow = false;
  for (std::int64_t const extent : shape)
    overflow |= __builtin_mul_overflow(count, static_cast<std::uint64_t>(extent), &count);
  std::uint64_t all_bits = 0;
  overflow |= __builtin_mul_overflow(count, static_cast<std::uint64_t>(bits(dtype)), &all_bits);
  if (overflow) throw header_error(225, "the shape has more elements than 64 bits can count", where);
  if (all_bits % 8 != 0) throw header_error(225, "the elements do not fill whole bytes", where);
  return all_bits / 8;
}

/// Reads and checks the header `text`; the data section that follows it has `data_bytes` bytes.
SafetensorsHeader parse_safetensors_header(std::string_view text, std::uint64_t data_bytes, std::string const& file);

#if HONE_BODIES

/// Builds the list of tensors from the events of the JSON parser: no document tree, so that memory stays in proportion to
/// the header, and nesting deeper than the format's three levels ends the parse at once.
class SafetensorsHeaderHandler : public JsonEvents {
 public:
  SafetensorsHeaderHandler(std::string file, SafetensorsHeader& out) : file_(std::move(file)), out_(out) {}

  bool null() override { return reject("null"); }
  bool boolean(bool value) override { return reject(value ? "true" : "false"); }
  bool number_integer(std::int64_t value) override {
    return reject(value == 0 ? "-0" : std::to_string(value));
  }  // negative ones only
  bool number_float(double, std::string const& text) override { return reject(printable(text)); }
  bool number_unsigned(std::uint64_t value) override {
    if (state_ != State::shape && state_ != State::offsets) return reject(std::to_string(value));
    if (value > largest_integer)
      throw error(225, "an extent or offset is too large", std::to_string(value), "0 to 2^48 - 1");
    if (state_ == State::shape) {
      if (current_.shape.size() == largest_rank)
        throw error(225, "the tensor has too many dimensions", "more than 64", "at most 64");
      current_.shape.push_back(static_cast<std::int64_t>(value));
    } else {
      if (offset_count_ == 2) throw error(223, "data_offsets has more than two entries", "", "[begin, end]");
      (offset_count_++ == 0 ? current_.begin : current_.end) = value;
    }
    return true;
  }
  bool string(std::string& value) override {
    if (state_ == State::metadata_value) {
      out_.metadata[key_] = std::move(value);
      state_ = State::metadata_key;
      return true;
    }
    if (state_ != State::dtype) return reject("\"" + printable(value) + "\"");
    auto const dtype = dtype_from_name(value);
    if (!dtype)
      throw error(224, "unknown element type", printable(value), "the types of the format: F32, F16, BF16, F64, I64, ...");
    current_.dtype = *dtype;
    state_ = State::field;
    return true;
  }
  bool binary(nlohmann::json::binary_t&) override { return reject("binary"); }  // JSON text has none

  bool key(std::string& text) override {
    switch (state_) {
      case State::name:
        if (text == "__metadata__") {
          if (std::exchange(has_metadata_, true)) throw error(228, "__metadata__ appears twice");
          state_ = State::metadata;
          return true;
        }
        current_ = TensorInfo{};
        current_.name = std::move(text);
        fields_ = 0;
        if (current_.name.empty()) throw error(229, "a tensor has an empty name");
        if (current_.name.find('\0') != std::string::npos) throw error(229, "a tensor's name contains the character NUL");
        state_ = State::tensor;
        return true;
      case State::field:
        return field(text);
      default:  // State::metadata_key
        if (out_.metadata.contains(text)) throw error(228, "a key of __metadata__ appears twice", printable(text));
        key_ = std::move(text);
        state_ = State::metadata_value;
        return true;
    }
  }

  bool start_object(std::size_t) override {
    switch (state_) {
      case State::top:
        state_ = State::name;
        return true;
      case State::tensor:
        state_ = State::field;
        return true;
      case State::metadata:
        state_ = State::metadata_key;
        return true;
      default:
        return reject("an object");
    }
  }
  bool end_object() override {
    if (state_ == State::field) {
      if (fields_ != 7) {
        char const* const missing = !(fields_ & 1) ? "dtype" : !(fields_ & 2) ? "shape" : "data_offsets";
        throw error(223, std::string("a tensor has no ") + missing, "", "dtype, shape and data_offsets");
      }
      out_.tensors.push_back(std::move(current_));
      current_ = TensorInfo{};
    }
    state_ = state_ == State::name ? State::top : State::name;
    return true;
  }
  bool start_array(std::size_t) override {
    if (state_ == State::shape_array)
      state_ = State::shape;
    else if (state_ == State::offsets_array)
      state_ = State::offsets;
    else
      return reject("an array");
    return true;
  }
  bool end_array() override {
    if (state_ == State::offsets && offset_count_ != 2)
      throw error(223, "data_offsets has too few entries", std::to_string(offset_count_), "[begin, end]");
    state_ = State::field;
    return true;
  }

  bool parse_error(std::size_t position, std::string const&, nlohmann::json::exception const& failure) override {
    std::string_view text = failure.what();  // "[json.exception....] parse error at line 1, column 5: syntax error ..."
    if (auto const start = text.find(": "); start != text.npos) text.remove_prefix(start + 2);
    throw header_error(222, "the header is not valid JSON: " + printable(text, 200),
                       {.file = file_,
                        .tensor = printable(current_.name),
                        .offset = static_cast<std::int64_t>(8 + (position > 0 ? position - 1 : 0))});
  }

 private:
  /// What the next event may be. `*_array`: the opening bracket; `metadata`, `tensor`: the opening brace.
  enum class State {
    top,
    name,
    tensor,
    field,
    dtype,
    shape_array,
    shape,
    offsets_array,
    offsets,
    metadata,
    metadata_key,
    metadata_value
  };

  bool field(std::string const& text) {
    unsigned bit = 0;
    if (text == "dtype")
      bit = 1, state_ = State::dtype;
    else if (text == "shape")
      bit = 2, state_ = State::shape_array;
    else if (text == "data_offsets")
      bit = 4, state_ = State::offsets_array, offset_count_ = 0;
    else
      throw error(223, "a tensor has an unknown field", printable(text), "dtype, shape and data_offsets");
    if ((fields_ & bit) != 0) throw error(228, "a field of a tensor appears twice", printable(text));
    fields_ |= bit;
    return true;
  }

  /// A value that the format does not allow at this place.
  bool reject(std::string const& found) const {
    switch (state_) {
      case State::top:
        throw error(223, "the header is not a JSON object", found, "{...}");
      case State::tensor:
        throw error(223, "the entry of a tensor is not an object", found, "{\"dtype\": ..., ...}");
      case State::dtype:
        throw error(223, "dtype is not a string", found, "a string");
      case State::shape_array:
        throw error(223, "shape is not an array", found, "an array of integers");
      case State::shape:
        throw error(225, "an extent of the shape is not a non-negative integer", found, "0 to 2^48 - 1");
      case State::offsets_array:
        throw error(223, "data_offsets is not an array", found, "[begin, end]");
      case State::offsets:
        throw error(223, "an offset is not a non-negative integer", found, "0 to 2^48 - 1");
      default:
        throw error(230, "__metadata__ is not a map from strings to strings", found, "{\"key\": \"text\"}");
    }
  }

  Error error(int number, std::string const& happened, std::string found = {}, std::string allowed = {}) const {
    return header_error(
        number, happened,
        {.file = file_, .tensor = printable(current_.name), .value = std::move(found), .allowed = std::move(allowed)});
  }

  std::string file_;
  SafetensorsHeader& out_;
  State state_ = State::top;
  TensorInfo current_;
  std::string key_;
  unsigned fields_ = 0;
  int offset_count_ = 0;
  bool has_metadata_ = false;
};

HONE_INLINE SafetensorsHeader parse_safetensors_header(std::string_view text, std::uint64_t data_bytes,
                                                       std::string const& file) {
  // Two things that the JSON parser forgives: a byte order mark, and NUL, which it takes for the end.
  if (text.substr(0, 3) == "\xef\xbb\xbf")
    throw header_error(222, "the header begins with a byte order mark", {.file = file, .offset = 8});
  if (auto const nul = text.find('\0'); nul != text.npos)
    throw header_error(222, "the header contains a NUL byte", {.file = file, .offset = static_cast<std::int64_t>(8 + nul)});

  SafetensorsHeader header;
  SafetensorsHeaderHandler handler(file, header);
  parse_json_events(text, handler);

  auto& tensors = header.tensors;
  std::stable_sort(tensors.begin(), tensors.end(), [](TensorInfo const& a, TensorInfo const& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  header.by_name.resize(tensors.size());
  std::iota(header.by_name.begin(), header.by_name.end(), 0u);
  std::sort(header.by_name.begin(), header.by_name.end(), [&](auto a, auto b) { return tensors[a].name < tensors[b].name; });
  auto const twice = std::adjacent_find(header.by_name.begin(), header.by_name.end(),
                                        [&](auto a, auto b) { return tensors[a].name == tensors[b].name; });
  if (twice != header.by_name.end())
    throw header_error(228, "two tensors have the same name", {.file = file, .tensor = printable(tensors[*twice].name)});

  std::uint64_t position = 0;
  for (TensorInfo const& tensor : tensors) {
    Where where{.file = file, .tensor = printable(tensor.name)};
    std::string const range =
        std::string("[").append(std::to_string(tensor.begin)) + ", " + std::to_string(tensor.end) + ")";
    if (tensor.begin != position || tensor.end < tensor.begin) {
      where.value = range;
      where.allowed = "a range that begins at " + std::to_string(position);
      throw header_error(226,
                         tensor.begin < position   ? "the bytes of two tensors overlap"
                         : tensor.begin > position ? "bytes between two tensors belong to none"
                                                   : "a tensor ends before it begins",
                         where);
    }
    std::uint64_t const expected = checked_bytes(tensor.shape, tensor.dtype, where);
    if (tensor.end - tensor.begin != expected) {
      where.value = std::to_string(tensor.end - tensor.begin) + " bytes";
      where.allowed = std::to_string(expected) + " bytes for shape " + shape_text(tensor.shape) + " of " +
                      std::string(name(tensor.dtype));
      throw header_error(227, "data_offsets do not fit the shape", where);
    }
    position = tensor.end;
  }
  if (position != data_bytes) {
    Where const where{.file = file,
                      .value = std::to_string(data_bytes) + " bytes of data",
                      .allowed = std::to_string(position) + " bytes"};
    if (position > data_bytes) throw header_error(226, "the file ends before its tensors do", where);
    throw header_error(226, "the file goes on after its last tensor", where);
  }
  return header;
}

#endif

}  // namespace detail

}  // namespace hone

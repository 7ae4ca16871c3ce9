// Reading one safetensors file.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/core/error.hpp"
#include "hone/io/dtype.hpp"
#include "hone/core/input_file.hpp"
#include "hone/io/safetensors_header.hpp"

namespace hone {

/// One safetensors file, open for reading. The constructor checks the whole header, stricter than the reference library
/// where that one is laxer than the format's own text (docs/errors.md, E220 to E230); values are read when asked for.
///
/// Nothing in the file can make it allocate more than a few times the size of the header, which is part of the file.
/// `read` may be called from several threads.
///
/// Errors: those of InputFile; E220 to E230 for a malformed file; E231 to E234 for a read that cannot be done.
class SafetensorsReader {
 public:
  explicit SafetensorsReader(std::filesystem::path const& path);

  std::filesystem::path const& path() const noexcept { return file_.path(); }
  /// All tensors, in the order of their data.
  std::vector<TensorInfo> const& tensors() const noexcept { return header_.tensors; }
  std::map<std::string, std::string> const& metadata() const noexcept { return header_.metadata; }

  /// The tensor of that name, null if there is none.
  TensorInfo const* find(std::string_view name) const noexcept;

  /// The tensor of that name. Errors: E232 there is none.
  TensorInfo const& at(std::string_view name) const {
    if (TensorInfo const* found = find(name)) return *found;
    throw Error(232, "the file has no such tensor", {.file = path().string(), .tensor = detail::printable(name)},
                "check that this is the file you meant");
  }

  /// Reads all values of a tensor of this file into `out`, rounding to nearest. Floating-point T: from F64, F32, F16, BF16.
  /// Integer T: from the integer types and BOOL (0 or 1).
  ///
  /// Errors: E231 the element type cannot be read as T, E233 `out` has another size, E234 a value does not fit into T,
  /// E206 the file became shorter.
  template <class T>
  void read(TensorInfo const& tensor, std::span<T> out) const {
    Where where{.file = path().string(), .tensor = detail::printable(tensor.name)};
    if (!detail::convertible_to<T>(tensor.dtype)) {
      where.value = std::string(name(tensor.dtype));
      where.allowed = std::is_floating_point_v<T> ? "F64, F32, F16, BF16" : "I8 to I64, U8 to U64, BOOL";
      throw Error(231, "the element type cannot be read here", where, "convert the tensor to one of the allowed types");
    }
    if (tensor.size() != out.size()) {
      where.value = shape_text(tensor.shape);
      where.allowed = std::to_string(out.size()) + " elements";
      throw Error(233, "the tensor has another size than the place for it", where,
                  "check that the file belongs to this model and its configuration");
    }
    if (tensor.dtype == dtype_of<T>()) return file_.read(data_start_ + tensor.begin, out.data(), out.size_bytes());

    std::size_t const width = bits(tensor.dtype) / 8;
    std::vector<unsigned char> piece(std::min(out.size() * width, std::size_t{1} << 16));
    for (std::size_t done = 0; done < out.size();) {
      std::size_t const count = std::min(out.size() - done, piece.size() / width);
      file_.read(data_start_ + tensor.begin + done * width, piece.data(), count * width);
      std::size_t const converted = detail::convert(tensor.dtype, piece.data(), count, out.data() + done);
      if (converted != count) {
        where.offset = static_cast<std::int64_t>(data_start_ + tensor.begin + (done + converted) * width);
        where.value = std::string(name(tensor.dtype)) + " number that is too large";
        where.allowed = "the range of " + std::string(name(dtype_of<T>()));
        throw Error(234, "a value does not fit into the type it is read as", where,
                    "check the tensor, or read it as a wider type");
      }
      done += count;
    }
  }

  /// All values of the tensor of that name. Errors: E232 there is none, and those of the other `read`.
  template <class T>
  std::vector<T> read(std::string_view name) const {
    TensorInfo const& tensor = at(name);
    if (!detail::convertible_to<T>(tensor.dtype)) read(tensor, std::span<T>{});  // throws, before anything is allocated
    std::vector<T> values(static_cast<std::size_t>(tensor.size()));
    read(tensor, std::span<T>(values));
    return values;
  }

 private:
  InputFile file_;
  std::uint64_t data_start_ = 0;
  detail::SafetensorsHeader header_;
};

#if HONE_BODIES

HONE_INLINE SafetensorsReader::SafetensorsReader(std::filesystem::path const& path) : file_(path) {
  std::string const shown = path.string();
  unsigned char length_bytes[8];
  if (file_.size() < sizeof length_bytes)
    throw detail::header_error(
        220, "the file is too short for a safetensors file",
        {.file = shown, .value = std::to_string(file_.size()) + " bytes", .allowed = "at least 8 bytes"});
  file_.read(0, length_bytes, sizeof length_bytes);
  auto const length = detail::load<std::uint64_t>(length_bytes);
  if (length > detail::largest_header)
    throw detail::header_error(
        221, "the header is too large",
        {.file = shown, .offset = 0, .value = std::to_string(length) + " bytes", .allowed = "at most 100000000 bytes"});
  if (length > file_.size() - sizeof length_bytes)
    throw detail::header_error(220, "the file ends within its header",
                               {.file = shown,
                                .offset = 0,
                                .value = std::to_string(file_.size()) + " bytes",
                                .allowed = "a header of " + std::to_string(length) + " bytes"});
  std::string text(static_cast<std::size_t>(length), '\0');
  file_.read(sizeof length_bytes, text.data(), text.size());
  data_start_ = sizeof length_bytes + length;
  header_ = detail::parse_safetensors_header(text, file_.size() - data_start_, shown);
}

HONE_INLINE TensorInfo const* SafetensorsReader::find(std::string_view name) const noexcept {
  auto const found = std::lower_bound(header_.by_name.begin(), header_.by_name.end(), name,
                                      [&](auto index, auto wanted) { return header_.tensors[index].name < wanted; });
  if (found == header_.by_name.end() || header_.tensors[*found].name != name) return nullptr;
  return &header_.tensors[*found];
}

#endif

}  // namespace hone

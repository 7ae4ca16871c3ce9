// Messages of Protocol Buffers, written and walked through without a description of them: what event files need.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace hone::detail {

/// Whether a number of zero, false or an empty text is written. proto3 leaves them out; a member of a oneof is always
/// written.
enum class Presence { unless_default, always };

/// Writes one message in the wire format of Protocol Buffers (protobuf.dev, "Encoding"): fields in the order of the calls.
/// A message inside of a message is a writer of its own, handed to `message`.
class ProtobufWriter {
 public:
  /// int32, int64, uint32, uint64, bool, enum: a negative number takes ten bytes.
  ProtobufWriter& integer(std::uint32_t field, std::int64_t value, Presence presence = Presence::unless_default) {
    if (value == 0 && presence == Presence::unless_default) return *this;
    tag(field, 0);
    varint(static_cast<std::uint64_t>(value));
    return *this;
  }

  /// double
  ProtobufWriter& real(std::uint32_t field, double value, Presence presence = Presence::unless_default) {
    std::uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof(bits));
    if (bits == 0 && presence == Presence::unless_default) return *this;  // -0.0 is not the default
    tag(field, 1);
    little_endian(bits, 8);
    return *this;
  }

  /// float
  ProtobufWriter& real32(std::uint32_t field, float value, Presence presence = Presence::unless_default) {
    std::uint32_t bits = 0;
    std::memcpy(&bits, &value, sizeof(bits));
    if (bits == 0 && presence == Presence::unless_default) return *this;
    tag(field, 5);
    little_endian(bits, 4);
    return *this;
  }

  /// string (the caller sees to valid UTF-8), bytes
  ProtobufWriter& text(std::uint32_t field, std::string_view value, Presence presence = Presence::unless_default) {
    if (value.empty() && presence == Presence::unless_default) return *this;
    tag(field, 2);
    varint(value.size());
    bytes_.append(value);
    return *this;
  }

  /// A message, written even when it is empty: that it is there says something.
  ProtobufWriter& message(std::uint32_t field, ProtobufWriter const& value) {
    return text(field, value.bytes_, Presence::always);
  }

  /// repeated double, packed (the form of proto3); none: nothing is written
  ProtobufWriter& packed_reals(std::uint32_t field, std::span<double const> values) {
    if (values.empty()) return *this;
    tag(field, 2);
    varint(values.size() * 8);
    for (double const value : values) {
      std::uint64_t bits = 0;
      std::memcpy(&bits, &value, sizeof(bits));
      little_endian(bits, 8);
    }
    return *this;
  }

  /// repeated float, packed
  ProtobufWriter& packed_reals32(std::uint32_t field, std::span<float const> values) {
    if (values.empty()) return *this;
    tag(field, 2);
    varint(values.size() * 4);
    for (float const value : values) {
      std::uint32_t bits = 0;
      std::memcpy(&bits, &value, sizeof(bits));
      little_endian(bits, 4);
    }
    return *this;
  }

  /// repeated int64 and the like, packed
  ProtobufWriter& packed_integers(std::uint32_t field, std::span<std::int64_t const> values) {
    ProtobufWriter inner;
    for (auto const value : values) inner.varint(static_cast<std::uint64_t>(value));
    return text(field, inner.bytes_);
  }

  std::string const& bytes() const noexcept { return bytes_; }

 private:
  void tag(std::uint32_t field, std::uint32_t wire) { varint(std::uint64_t{field} << 3 | wire); }

  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_ += static_cast<char>(value | 0x80);
    bytes_ += static_cast<char>(value);
  }

  void little_endian(std::uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) bytes_ += static_cast<char>(value >> 8 * i);
  }

  std::string bytes_{};
};

/// One field of a message as it lies in the bytes.
struct ProtobufField {
  std::uint32_t number = 0;
  std::uint32_t wire = 0;    ///< 0 varint, 1 eight bytes, 2 text or message, 5 four bytes
  std::uint64_t value = 0;   ///< of wire 0, and the bits of 1 and 5
  std::string_view bytes{};  ///< of wire 2
};

/// Walks through the fields of one message. Damaged bytes end the walk, with `broken()` true.
class ProtobufReader {
 public:
  explicit ProtobufReader(std::string_view bytes) : rest_(bytes) {}

  /// The next field; none at the end, or where the bytes are no message.
  std::optional<ProtobufField> next() {
    if (rest_.empty() || broken_) return std::nullopt;
    ProtobufField field;
    std::uint64_t const tag = varint();
    field.number = static_cast<std::uint32_t>(tag >> 3);
    field.wire = static_cast<std::uint32_t>(tag & 7);
    if (tag >> 3 == 0 || tag >> 32 != 0) broken_ = true;
    if (field.wire == 0)
      field.value = varint();
    else if (field.wire == 1)
      field.value = little_endian(8);
    else if (field.wire == 5)
      field.value = little_endian(4);
    else if (field.wire == 2)
      field.bytes = take(varint());
    else
      broken_ = true;  // groups are of proto2
    if (broken_) return std::nullopt;
    return field;
  }

  bool broken() const noexcept { return broken_; }

 private:
  std::string_view take(std::uint64_t size) {
    if (broken_ || size > rest_.size()) {
      broken_ = true;
      return {};
    }
    auto const part = rest_.substr(0, static_cast<std::size_t>(size));
    rest_.remove_prefix(part.size());
    return part;
  }

  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 70; shift += 7) {
      auto const byte = take(1);
      if (byte.empty()) return 0;
      auto const bits = static_cast<std::uint8_t>(byte[0]);
      if (shift == 63 && bits > 1) break;  // more than 64 bits
      value |= std::uint64_t{bits & 0x7Fu} << shift;
      if (bits < 0x80) return value;
    }
    broken_ = true;
    return 0;
  }

  std::uint64_t little_endian(std::uint64_t size) {
    std::uint64_t value = 0;
    int shift = 0;
    for (char const byte : take(size)) {
      value |= std::uint64_t{static_cast<std::uint8_t>(byte)} << shift;
      shift += 8;
    }
    return value;
  }

  std::string_view rest_;
  bool broken_ = false;
};

}  // namespace hone::detail

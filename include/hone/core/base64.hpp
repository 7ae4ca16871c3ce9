#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "hone/core/config.hpp"

namespace hone::detail {

/// Base64 (RFC 4648, section 4), padded with '='. `url_safe`: the alphabet of section 5 and no padding.
std::string base64(std::string_view bytes, bool url_safe = false);

#if HONE_BODIES

HONE_INLINE std::string base64(std::string_view bytes, bool url_safe) {
  char const* const alphabet = url_safe ? "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
                                        : "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::size_t const count = bytes.size() - i < 3 ? bytes.size() - i : 3;
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      group = group << 8 | (k < count ? static_cast<std::uint8_t>(bytes[i + k]) : 0u);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      if (k <= count)
        out += alphabet[group >> (18 - 6 * k) & 63];
      else if (!url_safe)
        out += '=';
    }
  }
  return out;
}

#endif

}  // namespace hone::detail

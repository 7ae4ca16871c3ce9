#pragma once

#include <cstdint>
#include <string_view>

#include "hone/core/config.hpp"
#include "hone/core/crc32.hpp"

namespace hone::detail {

/// CRC-32C, the Castagnoli polynomial (RFC 3720, section 12.1 and appendix B.4).
using Crc32c = ReflectedCrc<0x82F63B78u>;

/// CRC-32C turned right by 15 bits plus a constant, as the record files of TensorFlow (and so TensorBoard) store it.
std::uint32_t masked_crc32c(std::string_view bytes);

#if HONE_BODIES

HONE_INLINE std::uint32_t masked_crc32c(std::string_view bytes) {
  Crc32c crc;
  crc.add(bytes);
  return ((crc.value() >> 15) | (crc.value() << 17)) + 0xa282ead8u;
}

#endif

}  // namespace hone::detail

// The list of malformed (and odd but valid) safetensors files, with what the reader must say to each.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hone::test {

/// `error`: the number that reading the file must give, 0: it must be read.
struct SafetensorsCase {
  int row;
  char const* name;
  int error;
  std::string bytes;
};

/// The eight bytes that give the length of the header.
inline std::string length(std::uint64_t n) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(n >> (8 * i) & 255);
  return bytes;
}

/// A file that is its header and nothing else.
inline std::string with_length(std::string const& header) { return length(header.size()) + header; }

inline std::string zeros(std::size_t count) { return std::string(count, '\0'); }

/// Verdicts follow the reference library (safetensors, Rust), and the text of the format where that one is laxer: rows 42,
/// 56, 58, 61, 66, 68, 70, 71, 112, and our own limit on the rank, row 106.
inline std::vector<SafetensorsCase> safetensors_cases() {
  // clang-format off
  return {
      {1, "valid", 0, with_length(R"({"test":{"dtype":"I32","shape":[2,2],"data_offsets":[0,16]}})") + zeros(16)},
      {2, "empty_file", 220, ""},
      {3, "7_bytes", 220, std::string("\x3c\0\0\0\0\0\0", 7)},
      {4, "8_bytes_n0", 222, length(0)},
      {5, "8_bytes_n60_no_header", 220, length(0x3c)},
      {6, "n_gt_file", 220, length(0x3e8) + R"({"test":{"dtype":"I32","shape":[2,2],"data_offsets":[0,16]}})" + zeros(16)},
      {7, "n_100000001", 221, length(0x5f5e101) + R"({"test":{"dtype":"I32","shape":[2,2],"data_offsets":[0,16]}})" + zeros(16)},
      {8, "n_max", 221, length(0xffffffffffffffffull) + R"({"test":{"dtype":"I32","shape":[2,2],"data_offsets":[0,16]}})" + zeros(16)},
      {9, "n_high_bytes_ff", 221, length(0xffffff000000003cull) + R"({"test":{"dtype":"I32","shape":[2,2],"data_offsets":[0,16]}})" + zeros(16)},
      {10, "non_utf8", 222, with_length("\377")},
      {11, "not_json", 222, with_length("{")},
      {12, "json_array", 223, with_length("[]")},
      {13, "json_null", 223, with_length("null")},
      {14, "json_string", 223, with_length(R"("a")")},
      {15, "json_number", 223, with_length("1")},
      {16, "empty_obj", 0, with_length("{}")},
      {17, "empty_obj_with_trailing_data", 226, with_length("{}") + zeros(8)},
      {18, "trail_ws", 0, with_length("{}\015 \011\012")},
      {19, "lead_ws", 0, with_length("\011\012{}\015 ")},
      {20, "trail_garbage_in_header", 222, with_length("{}x")},
      {21, "trail_nul_in_header", 222, with_length(std::string("{}\000\000\000\000\000\000", 8))},
      {22, "bom", 222, with_length("\357\273\277{}")},
      {23, "extra_bytes_after_data", 226, with_length(R"({"test":{"dtype":"I32","shape":[2,2],"data_offsets":[0,16]}})") + zeros(21)},
      {24, "missing_2_bytes", 226, with_length(R"({"test":{"dtype":"I32","shape":[2,2],"data_offsets":[0,16]}})") + zeros(14)},
      {25, "offset_not_zero_start", 226, with_length(R"({"test":{"dtype":"I32","shape":[2,2],"data_offsets":[8,24]}})") + zeros(24)},
      {26, "hole_between", 226, with_length(R"({"a":{"dtype":"I32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"I32","shape":[1],"data_offsets":[8,12]}})") + zeros(12)},
      {27, "overlap_same", 226, with_length(R"({"a":{"dtype":"I32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"I32","shape":[1],"data_offsets":[0,4]}})") + zeros(4)},
      {28, "overlap_partial", 226, with_length(R"({"a":{"dtype":"I32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"I32","shape":[2],"data_offsets":[4,12]}})") + zeros(12)},
      {29, "end_lt_begin", 226, with_length(R"({"test":{"dtype":"I32","shape":[0],"data_offsets":[4,0]}})")},
      {30, "negative_offset", 223, with_length(R"({"test":{"dtype":"I32","shape":[1],"data_offsets":[-4,0]}})") + zeros(4)},
      {31, "float_offset", 223, with_length(R"({"test":{"dtype":"I32","shape":[1],"data_offsets":[0,4.0]}})") + zeros(4)},
      {32, "string_offset", 223, with_length(R"({"test":{"dtype":"I32","shape":[1],"data_offsets":["0","4"]}})") + zeros(4)},
      {33, "one_offset", 223, with_length(R"({"test":{"dtype":"I32","shape":[1],"data_offsets":[4]}})") + zeros(4)},
      {34, "three_offsets", 223, with_length(R"({"test":{"dtype":"I32","shape":[1],"data_offsets":[0,4,8]}})") + zeros(4)},
      {35, "offset_gt_u64", 223, with_length(R"({"test":{"dtype":"I32","shape":[1],"data_offsets":[0,18446744073709551616]}})") + zeros(4)},
      {36, "offset_exp", 223, with_length(R"({"test":{"dtype":"I32","shape":[1],"data_offsets":[0,4e0]}})") + zeros(4)},
      {37, "size_mismatch_small", 227, with_length(R"({"test":{"dtype":"I32","shape":[2,2],"data_offsets":[0,4]}})") + zeros(4)},
      {38, "size_mismatch_big", 227, with_length(R"({"test":{"dtype":"I32","shape":[1],"data_offsets":[0,16]}})") + zeros(16)},
      {39, "shape_overflow", 225, with_length(R"({"test":{"dtype":"I32","shape":[2,18446744073709551614],"data_offsets":[0,16]}})") + zeros(16)},
      {40, "bytes_overflow", 225, with_length(R"({"test":{"dtype":"I32","shape":[2,9223372036854775807],"data_offsets":[0,16]}})") + zeros(16)},
      {41, "shape_overflow_with_zero_after", 225, with_length(R"({"test":{"dtype":"I32","shape":[18446744073709551615,18446744073709551615,0],"data_offsets":[0,0]}})")},
      {42, "shape_zero_then_huge", 225, with_length(R"({"test":{"dtype":"I32","shape":[0,18446744073709551615,18446744073709551615],"data_offsets":[0,0]}})")},
      {43, "shape_negative", 225, with_length(R"({"test":{"dtype":"I32","shape":[-1],"data_offsets":[0,4]}})") + zeros(4)},
      {44, "shape_float", 225, with_length(R"({"test":{"dtype":"I32","shape":[1.0],"data_offsets":[0,4]}})") + zeros(4)},
      {45, "shape_not_array", 223, with_length(R"({"test":{"dtype":"I32","shape":1,"data_offsets":[0,4]}})") + zeros(4)},
      {46, "scalar_rank0", 0, with_length(R"({"test":{"dtype":"I32","shape":[],"data_offsets":[0,4]}})") + zeros(4)},
      {47, "zero_size", 0, with_length(R"({"test":{"dtype":"I32","shape":[2,0],"data_offsets":[0,0]}})")},
      {48, "zero_size_first_then_real", 0, with_length(R"({"z":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"I32","shape":[1],"data_offsets":[0,4]}})") + zeros(4)},
      {49, "two_zero_sized_at_end", 0, with_length(R"({"a":{"dtype":"I32","shape":[1],"data_offsets":[0,4]},"y":{"dtype":"F32","shape":[0],"data_offsets":[4,4]},"z":{"dtype":"F32","shape":[3,0],"data_offsets":[4,4]}})") + zeros(4)},
      {50, "unknown_dtype", 224, with_length(R"({"test":{"dtype":"I33","shape":[1],"data_offsets":[0,4]}})") + zeros(4)},
      {51, "lowercase_dtype", 224, with_length(R"({"test":{"dtype":"i32","shape":[1],"data_offsets":[0,4]}})") + zeros(4)},
      {52, "dtype_number", 223, with_length(R"({"test":{"dtype":4,"shape":[1],"data_offsets":[0,4]}})") + zeros(4)},
      {53, "missing_dtype", 223, with_length(R"({"test":{"shape":[1],"data_offsets":[0,4]}})") + zeros(4)},
      {54, "missing_shape", 223, with_length(R"({"test":{"dtype":"I32","data_offsets":[0,4]}})") + zeros(4)},
      {55, "missing_offsets", 223, with_length(R"({"test":{"dtype":"I32","shape":[1]}})") + zeros(4)},
      {56, "extra_field", 223, with_length(R"({"test":{"dtype":"I32","shape":[1],"data_offsets":[0,4],"foo":1}})") + zeros(4)},
      {57, "dup_field", 228, with_length(R"({"test":{"dtype":"I32","dtype":"F32","shape":[1],"data_offsets":[0,4]}})") + zeros(4)},
      {58, "dup_tensor_name_same", 228, with_length(R"({"a":{"dtype":"I32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"I32","shape":[1],"data_offsets":[0,4]}})") + zeros(4)},
      {59, "dup_tensor_name_contig", 228, with_length(R"({"a":{"dtype":"I32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"I32","shape":[1],"data_offsets":[4,8]}})") + zeros(8)},
      {60, "tensor_value_null", 223, with_length(R"({"a":null})")},
      {61, "tensor_value_array", 223, with_length(R"({"a":["I32",[1],[0,4]]})") + zeros(4)},
      {62, "tensor_value_string", 223, with_length(R"({"a":"x"})")},
      {63, "metadata_ok", 0, with_length(R"({"__metadata__":{"format":"pt"},"test":{"dtype":"I32","shape":[1],"data_offsets":[0,4]}})") + zeros(4)},
      {64, "metadata_non_string", 230, with_length(R"({"__metadata__":{"format":1},"test":{"dtype":"I32","shape":[1],"data_offsets":[0,4]}})") + zeros(4)},
      {65, "metadata_nested", 230, with_length(R"({"__metadata__":{"a":{"b":"c"}}})")},
      {66, "metadata_null", 230, with_length(R"({"__metadata__":null})")},
      {67, "metadata_array", 230, with_length(R"({"__metadata__":[]})")},
      {68, "metadata_dup_key", 228, with_length(R"({"__metadata__":{"a":"1","a":"2"}})")},
      {69, "metadata_dup_block", 228, with_length(R"({"__metadata__":{"a":"1"},"__metadata__":{"b":"2"}})")},
      {70, "empty_tensor_name", 229, with_length(R"({"":{"dtype":"I32","shape":[1],"data_offsets":[0,4]}})") + zeros(4)},
      {71, "nul_in_name", 229, with_length(R"({"a\u0000b":{"dtype":"I32","shape":[1],"data_offsets":[0,4]}})") + zeros(4)},
      {72, "lone_surrogate_name", 222, with_length(R"({"\ud800":{"dtype":"I32","shape":[1],"data_offsets":[0,4]}})") + zeros(4)},
      {73, "escaped_name_dup", 228, with_length(R"({"a":{"dtype":"I32","shape":[1],"data_offsets":[0,4]},"\u0061":{"dtype":"I32","shape":[1],"data_offsets":[4,8]}})") + zeros(8)},
      {74, "raw_control_char_in_string", 222, with_length("{\"a\012b\":{\"dtype\":\"I32\",\"shape\":[1],\"data_offsets\":[0,4]}}") + zeros(4)},
      {75, "trailing_comma", 222, with_length(R"({"test":{"dtype":"I32","shape":[1],"data_offsets":[0,4]},})") + zeros(4)},
      {76, "comment", 222, with_length(R"({/*x*/"test":{"dtype":"I32","shape":[1],"data_offsets":[0,4]}})") + zeros(4)},
      {77, "single_quotes", 222, with_length("{'test':{}}")},
      {78, "leading_zero_int", 222, with_length(R"({"test":{"dtype":"I32","shape":[01],"data_offsets":[0,4]}})") + zeros(4)},
      {79, "deep_nesting_200", 223, with_length("{\"a\":" + std::string(200, '[') + std::string(200, ']') + "}")},
      {80, "deep_nesting_100k", 223, with_length("{\"a\":" + std::string(50'000, '[') + std::string(49'999, ']') + "}")},
      {81, "deep_nesting_ignored_field", 223, with_length(R"({"test":{"dtype":"I32","shape":[1],"data_offsets":[0,4],"foo":)" + std::string(200, '[') +
                 std::string(200, ']') + "}}") +
         zeros(4)},
      {82, "unsorted_header_order", 0, with_length(R"({"b":{"dtype":"I32","shape":[1],"data_offsets":[4,8]},"a":{"dtype":"I32","shape":[1],"data_offsets":[0,4]}})") + zeros(8)},
      {83, "misaligned_ok", 0, with_length(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}})") + zeros(5)},
      {84, "f4_odd", 225, with_length(R"({"a":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}})") + zeros(2)},
      {85, "f4_even", 0, with_length(R"({"a":{"dtype":"F4","shape":[4],"data_offsets":[0,2]}})") + zeros(2)},
      {86, "dtype_BOOL", 0, with_length(R"({"a":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]}})") + zeros(1)},
      {87, "dtype_U8", 0, with_length(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})") + zeros(1)},
      {88, "dtype_I8", 0, with_length(R"({"a":{"dtype":"I8","shape":[1],"data_offsets":[0,1]}})") + zeros(1)},
      {89, "dtype_F8_E5M2", 0, with_length(R"({"a":{"dtype":"F8_E5M2","shape":[1],"data_offsets":[0,1]}})") + zeros(1)},
      {90, "dtype_F8_E4M3", 0, with_length(R"({"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}})") + zeros(1)},
      {91, "dtype_F8_E8M0", 0, with_length(R"({"a":{"dtype":"F8_E8M0","shape":[1],"data_offsets":[0,1]}})") + zeros(1)},
      {92, "dtype_F8_E4M3FNUZ", 0, with_length(R"({"a":{"dtype":"F8_E4M3FNUZ","shape":[1],"data_offsets":[0,1]}})") + zeros(1)},
      {93, "dtype_F8_E5M2FNUZ", 0, with_length(R"({"a":{"dtype":"F8_E5M2FNUZ","shape":[1],"data_offsets":[0,1]}})") + zeros(1)},
      {94, "dtype_I16", 0, with_length(R"({"a":{"dtype":"I16","shape":[1],"data_offsets":[0,2]}})") + zeros(2)},
      {95, "dtype_U16", 0, with_length(R"({"a":{"dtype":"U16","shape":[1],"data_offsets":[0,2]}})") + zeros(2)},
      {96, "dtype_F16", 0, with_length(R"({"a":{"dtype":"F16","shape":[1],"data_offsets":[0,2]}})") + zeros(2)},
      {97, "dtype_BF16", 0, with_length(R"({"a":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}})") + zeros(2)},
      {98, "dtype_I32", 0, with_length(R"({"a":{"dtype":"I32","shape":[1],"data_offsets":[0,4]}})") + zeros(4)},
      {99, "dtype_U32", 0, with_length(R"({"a":{"dtype":"U32","shape":[1],"data_offsets":[0,4]}})") + zeros(4)},
      {100, "dtype_F32", 0, with_length(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})") + zeros(4)},
      {101, "dtype_C64", 0, with_length(R"({"a":{"dtype":"C64","shape":[1],"data_offsets":[0,8]}})") + zeros(8)},
      {102, "dtype_F64", 0, with_length(R"({"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}})") + zeros(8)},
      {103, "dtype_I64", 0, with_length(R"({"a":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}})") + zeros(8)},
      {104, "dtype_U64", 0, with_length(R"({"a":{"dtype":"U64","shape":[1],"data_offsets":[0,8]}})") + zeros(8)},
      {105, "bool_value_2", 0, with_length(R"({"a":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]}})") + zeros(1)},
      {106, "many_dims_65", 225, with_length(R"({"a":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]}})") + zeros(1)},
      {107, "tensors_null_key_metadata_as_tensor", 230, with_length(R"({"__metadata__":{"dtype":"I32","shape":[1],"data_offsets":[0,4]}})") + zeros(4)},
      {108, "cpp_overflow_poc", 225, with_length(R"({"o":{"dtype":"F32","shape":[4194305,4194305,211106198978564],"data_offsets":[0,16]}})") + zeros(16)},
      {109, "path_name", 0, with_length(R"({"../../etc/passwd":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})") + zeros(1)},
      {110, "reversed_offsets", 226, with_length(R"({"o":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}})") + zeros(1)},
      {111, "minus_zero", 225, with_length(R"({"o":{"dtype":"U8","shape":[-0],"data_offsets":[0,0]}})")},
      {112, "dup_interleaved", 228, with_length(R"({"a":{"dtype":"I32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"I32","shape":[1],"data_offsets":[4,8]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})") + zeros(8)},
      {113, "big_header_ws", 0, with_length("{}" + std::string(1'000'000, ' '))},
      {114, "utf16_escape_name", 0, with_length(R"({"\ud83d\ude00":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})") + zeros(1)},
      {115, "overlong_utf8", 222, with_length("{\"\300\257\"")},
      {116, "nan_token", 222, with_length(R"({"o":{"dtype":"U8","shape":[NaN],"data_offsets":[0,1]}})") + zeros(1)},
      {117, "hex_int", 222, with_length(R"({"o":{"dtype":"U8","shape":[0x1],"data_offsets":[0,1]}})") + zeros(1)},
      {118, "true_as_int", 225, with_length(R"({"o":{"dtype":"U8","shape":[true],"data_offsets":[0,1]}})") + zeros(1)},
      {119, "swapped_ranges_valid", 0, with_length(R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[1,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})") + zeros(1)},
      {120, "zero_inside", 226, with_length(R"({"z":{"dtype":"U8","shape":[0],"data_offsets":[1,1]},"b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})") + zeros(2)},
  };
  // clang-format on
}

}  // namespace hone::test

// safetensors files, read strictly and written as the reference library writes them.
#pragma once

#include "hone/io/dtype.hpp"               // IWYU pragma: export
#include "hone/io/model_weights.hpp"       // IWYU pragma: export
#include "hone/io/safetensors_header.hpp"  // IWYU pragma: export
#include "hone/io/safetensors_reader.hpp"  // IWYU pragma: export
#include "hone/io/safetensors_writer.hpp"  // IWYU pragma: export

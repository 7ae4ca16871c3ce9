// Where a result comes from: processor, compiler, instruction sets.
#pragma once

#include <sys/utsname.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "hone/core/config.hpp"
#include "hone/core/thread_pool.hpp"
#include "hone/version.hpp"

namespace hone {

/// The processor's name as the system gives it, or its architecture.
std::string processor_name();

/// The compiler that compiled this program.
std::string compiler_name();

/// The vector instructions that this program was compiled for, and whether it was optimised.
std::string compiled_for();

/// Processor, usable threads, memory, instruction sets, compiler and version of hone, for results.json.
nlohmann::ordered_json host_info();

#if HONE_BODIES

HONE_INLINE std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("model name", 0) != 0) continue;
    auto const begin = line.find_first_not_of(" \t", line.find(':') + 1);
    if (begin != line.npos) return line.substr(begin);
  }
  utsname about{};
  return ::uname(&about) == 0 ? about.machine : "unknown";
}

HONE_INLINE std::string compiler_name() {
#if defined(__clang__)
  return "clang " __clang_version__;
#elif defined(__GNUC__)
  return "g++ " __VERSION__;
#else
  return "unknown";
#endif
}

HONE_INLINE std::string compiled_for() {
  std::string sets;
#if defined(__AVX512F__)
  sets += " avx512f";
#endif
#if defined(__AVX512BF16__)
  sets += " avx512_bf16";
#endif
#if defined(__AVX2__)
  sets += " avx2";
#endif
#if defined(__FMA__)
  sets += " fma";
#endif
#if defined(__SSE4_2__)
  sets += " sse4.2";
#endif
#if defined(__ARM_FEATURE_SVE)
  sets += " sve";
#endif
#if defined(__ARM_NEON)
  sets += " neon";
#endif
#if !defined(__OPTIMIZE__)
  sets += " (not optimised)";
#endif
  return sets.empty() ? "baseline" : sets.substr(1);
}

HONE_INLINE nlohmann::ordered_json host_info() {
  long const pages = ::sysconf(_SC_PHYS_PAGES), page = ::sysconf(_SC_PAGESIZE);
  nlohmann::ordered_json json;
  json["cpu"] = processor_name();
  json["available_threads"] = available_threads();
  if (pages > 0 && page > 0) json["memory_bytes"] = static_cast<std::int64_t>(pages) * page;
  json["simd"] = compiled_for();
  json["compiler"] = compiler_name();
  json["hone"] = version;
  return json;
}

#endif

}  // namespace hone

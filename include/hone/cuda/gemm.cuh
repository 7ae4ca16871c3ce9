#pragma once

#include <cublasLt.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "hone/core/bfloat16.hpp"
#include "hone/cuda/device_memory.cuh"
#include "hone/cuda/gemm_algorithms.hpp"
#include "hone/cuda/gemm_problem.hpp"
#include "hone/cuda/launch.cuh"

namespace hone::detail {

struct GemmFormat {
  cudaDataType_t operand, result, scale;
  cublasComputeType_t compute;
  std::size_t operand_bytes, result_bytes;
};
/// fp32 is exact: CUBLAS_COMPUTE_32F takes no TF32.
inline GemmFormat gemm_format(GemmProblem const& problem) {
  switch (static_cast<GemmType>(problem[GemmProblem::type])) {
    case GemmType::bf16:
      return {CUDA_R_16BF, CUDA_R_16BF, CUDA_R_32F, CUBLAS_COMPUTE_32F, 2, 2};
    case GemmType::bf16_to_float:
      return {CUDA_R_16BF, CUDA_R_32F, CUDA_R_32F, CUBLAS_COMPUTE_32F, 2, 4};
    case GemmType::float32:
      return {CUDA_R_32F, CUDA_R_32F, CUDA_R_32F, CUBLAS_COMPUTE_32F, 4, 4};
    case GemmType::float64:
      break;
  }
  return {CUDA_R_64F, CUDA_R_64F, CUDA_R_64F, CUBLAS_COMPUTE_64F, 8, 8};
}

inline void check_cublas(cublasStatus_t status, char const* call) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw Error(
      724, "cuBLASLt failed", {.value = std::string(call) + ": " + cublasLtGetStatusString(status)},
      "see that cuBLASLt and the driver belong to CUDA 12 or newer and that the device has memory left, then run again");
}

/// What the matrices of a problem are read from and written to. `bias`: the vector of the epilogue.
struct GemmBuffers {
  void const *a = nullptr, *b = nullptr;
  void *d = nullptr, *bias = nullptr;
};

/// Values of about the size of activations, the same every time: what an algorithm costs depends on them a little.
template <class T>
struct FillNoise {
  T* to;
  HONE_HOST_DEVICE void operator()(Index i) const {
    auto const word = static_cast<std::uint32_t>(i) * 2654435761u ^ static_cast<std::uint32_t>(i >> 32);
    to[i] = T(static_cast<float>(word >> 8) * (1.0f / 8388608.0f) - 1.0f);
  }
};

/// The choice for a problem on one kind of device; made by `choose()` when no context of this process has met it, so that
/// all of them compute the same bits. One thing is measured at a time.
template <class Choose>
GemmChoice choice_of_process(std::string const& device, GemmProblem const& problem, Choose const& choose) {
  static std::mutex mutex;
  static std::map<std::string, GemmAlgorithms> by_device;
  std::lock_guard<std::mutex> const lock(mutex);
  GemmAlgorithms& known = by_device[device];
  if (GemmChoice const* choice = known.find(problem)) return *choice;
  return known.set(problem, choose());
}

/// Matrix products by cuBLASLt: the descriptors, and one algorithm for every bucket of sizes.
///
/// The first time that a bucket is met, the heuristic's candidates are measured on scratch memory and the fastest is kept
/// (the first, unless another is 2 % faster). Candidates add in a fixed order: no split of k, or one that is summed up
/// in the workspace, in the sum's format. Nothing is measured while the user captures a graph, or where the scratch memory
/// does not fit: then the heuristic's first is taken. Where a step is captured nothing is chosen at all: it is run as it is.
/// Contexts of one process share what was chosen; which candidate wins may differ from process to process, unless they are
/// given the same (use_algorithms).
class Gemm {
 public:
  Gemm(DeviceMemory& memory, std::string device_name, bool measure)
      : memory_(&memory), device_name_(std::move(device_name)), measure_(measure) {
    DeviceScope const scope(memory.device());
    check_cublas(cublasLtCreate(&handle_), "cublasLtCreate");
  }
  Gemm(Gemm const&) = delete;
  Gemm& operator=(Gemm const&) = delete;
  ~Gemm() {
    memory_->deallocate(workspace_, workspace_ ? workspace_bytes : 0);
    static_cast<void>(cublasLtDestroy(handle_));
  }

  /// False: cuBLASLt has no algorithm for the problem, and nothing was done.
  /// @param tokens  the field of the problem that counts tokens, for which sizes share an algorithm
  bool run(GemmProblem const& problem, GemmProblem::Field tokens, GemmBuffers const& buffers) {
    GemmChoice const* exact = algorithms_.find(problem);
    GemmChoice const chosen = exact ? *exact : choice(problem, tokens, buffers);
    if (!chosen.exists) return false;
    cublasStatus_t status = launch(problem, chosen, buffers);
    if (!exact && (status == CUBLAS_STATUS_NOT_SUPPORTED || status == CUBLAS_STATUS_INVALID_VALUE)) {
      // The bucket's algorithm does not do for this size in it.
      memory_->refuse_in_capture();
      auto const candidates = heuristic(problem, buffers.bias);
      GemmChoice const& own = algorithms_.set(problem, candidates.empty() ? GemmChoice{} : candidates[0]);
      if (!own.exists) return false;
      status = launch(problem, own, buffers);
    }
    check_cublas(status, "cublasLtMatmul");
    return true;
  }

  /// The algorithm for the problem's bucket; chosen now if it is not known.
  GemmChoice const& choice(GemmProblem const& problem, GemmProblem::Field tokens, GemmBuffers const& buffers) {
    GemmProblem const bucket = bucketed(problem, tokens);
    if (GemmChoice const* known = algorithms_.find(bucket)) return *known;
    memory_->refuse_in_capture();
    if (memory_->capturing()) return algorithms_.set(bucket, choose(bucket, buffers.bias));
    return algorithms_.set(bucket, choice_of_process(device_name_ + (measure_ ? "" : ", not measured"), bucket,
                                                     Choose{this, bucket, buffers.bias}));
  }

  /// Bytes of the workspace, taken with the first product.
  static constexpr std::size_t workspace_bytes = std::size_t(32) << 20;

  std::string algorithms() const { return algorithms_.text(device_name_, cublasLtGetVersion()); }
  std::size_t use_algorithms(std::string const& text) { return algorithms_.read(text, device_name_, cublasLtGetVersion()); }

 private:
  static constexpr int most_candidates = 8;

  /// The descriptors of one product, on the stack.
  struct Description {
    cublasLtMatmulDescOpaque_t product{};
    cublasLtMatrixLayoutOpaque_t a{}, b{}, d{};

    Description(GemmProblem const& p, void* bias) {
      GemmFormat const format = gemm_format(p);
      check_cublas(cublasLtMatmulDescInit(&product, format.compute, format.scale), "cublasLtMatmulDescInit");
      set(CUBLASLT_MATMUL_DESC_TRANSA, p[GemmProblem::transpose_a] ? CUBLAS_OP_T : CUBLAS_OP_N);
      set(CUBLASLT_MATMUL_DESC_TRANSB, p[GemmProblem::transpose_b] ? CUBLAS_OP_T : CUBLAS_OP_N);
      auto const epilogue = static_cast<GemmEpilogue>(p[GemmProblem::epilogue]);
      if (epilogue != GemmEpilogue::none) {
        set(CUBLASLT_MATMUL_DESC_EPILOGUE,
            epilogue == GemmEpilogue::bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_BGRADB);
        set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
      }
      layout(a, format.operand, p[GemmProblem::transpose_a] ? p[GemmProblem::k] : p[GemmProblem::m], columns_a(p),
             p[GemmProblem::lda]);
      layout(b, format.operand, p[GemmProblem::transpose_b] ? p[GemmProblem::n] : p[GemmProblem::k], columns_b(p),
             p[GemmProblem::ldb]);
      layout(d, format.result, p[GemmProblem::m], p[GemmProblem::n], p[GemmProblem::ldd]);
    }
    static std::int64_t columns_a(GemmProblem const& p) {
      return p[GemmProblem::transpose_a] ? p[GemmProblem::m] : p[GemmProblem::k];
    }
    static std::int64_t columns_b(GemmProblem const& p) {
      return p[GemmProblem::transpose_b] ? p[GemmProblem::k] : p[GemmProblem::n];
    }

   private:
    template <class T>
    void set(cublasLtMatmulDescAttributes_t attribute, T const& value) {
      check_cublas(cublasLtMatmulDescSetAttribute(&product, attribute, &value, sizeof value),
                   "cublasLtMatmulDescSetAttribute");
    }
    static void layout(cublasLtMatrixLayoutOpaque_t& matrix, cudaDataType_t type, std::int64_t rows, std::int64_t columns,
                       std::int64_t leading) {
      check_cublas(cublasLtMatrixLayoutInit(&matrix, type, static_cast<std::uint64_t>(rows),
                                            static_cast<std::uint64_t>(columns), leading),
                   "cublasLtMatrixLayoutInit");
    }
  };

  /// The candidates whose sums have a fixed order, best first.
  std::vector<GemmChoice> heuristic(GemmProblem const& problem, void* bias) {
    DeviceScope const scope(memory_->device());
    Description description(problem, bias);
    cublasLtMatmulPreferenceOpaque_t preference{};
    check_cublas(cublasLtMatmulPreferenceInit(&preference), "cublasLtMatmulPreferenceInit");
    auto const prefer = [&preference](cublasLtMatmulPreferenceAttributes_t attribute, auto value) {
      check_cublas(cublasLtMatmulPreferenceSetAttribute(&preference, attribute, &value, sizeof value),
                   "cublasLtMatmulPreferenceSetAttribute");
    };
    prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, static_cast<std::uint64_t>(workspace_bytes));
    prefer(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, static_cast<std::uint32_t>(CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE));
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, static_cast<std::uint32_t>(problem[GemmProblem::align_a]));
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, static_cast<std::uint32_t>(problem[GemmProblem::align_b]));
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, static_cast<std::uint32_t>(problem[GemmProblem::align_d]));
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, static_cast<std::uint32_t>(problem[GemmProblem::align_d]));
    cublasLtMatmulHeuristicResult_t found[most_candidates]{};
    int returned = 0;
    cublasStatus_t const status =
        cublasLtMatmulAlgoGetHeuristic(handle_, &description.product, &description.a, &description.b, &description.d,
                                       &description.d, &preference, most_candidates, found, &returned);
    if (status == CUBLAS_STATUS_NOT_SUPPORTED || status == CUBLAS_STATUS_INVALID_VALUE) return {};
    check_cublas(status, "cublasLtMatmulAlgoGetHeuristic");
    std::vector<GemmChoice> usable;
    for (int i = 0; i < returned; ++i)
      if (found[i].state == CUBLAS_STATUS_SUCCESS && found[i].workspaceSize <= workspace_bytes &&
          fixed_order(found[i].algo)) {
        GemmChoice choice{true, 0, {}};
        std::memcpy(choice.words.data(), found[i].algo.data, sizeof found[i].algo.data);
        usable.push_back(choice);
      }
    return usable;
  }
  static bool fixed_order(cublasLtMatmulAlgo_t const& algorithm) {
    std::uint32_t scheme = 0;
    std::size_t size = 0;
    auto const asked = cublasLtMatmulAlgoConfigGetAttribute(&algorithm, CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME, &scheme,
                                                            sizeof scheme, &size);
    return asked != CUBLAS_STATUS_SUCCESS || scheme == CUBLASLT_REDUCTION_SCHEME_NONE ||
           scheme == CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
  }

  cublasStatus_t launch(GemmProblem const& problem, GemmChoice const& chosen, GemmBuffers const& buffers) {
    DeviceScope const scope(memory_->device());
    if (!workspace_) workspace_ = memory_->allocate(workspace_bytes);
    Description description(problem, buffers.bias);
    cublasLtMatmulAlgo_t algorithm{};
    static_assert(sizeof algorithm.data == sizeof chosen.words);
    std::memcpy(algorithm.data, chosen.words.data(), sizeof algorithm.data);
    bool const in_double = gemm_format(problem).scale == CUDA_R_64F;
    double const one = 1, more = problem[GemmProblem::add] ? 1 : 0;
    float const one_float = 1, more_float = static_cast<float>(more);
    return cublasLtMatmul(handle_, &description.product, in_double ? static_cast<void const*>(&one) : &one_float, buffers.a,
                          &description.a, buffers.b, &description.b,
                          in_double ? static_cast<void const*>(&more) : &more_float, buffers.d, &description.d, buffers.d,
                          &description.d, &algorithm, workspace_, workspace_bytes, memory_->stream());
  }

  struct Choose {
    Gemm* gemm;
    GemmProblem problem;
    void* bias;
    GemmChoice operator()() const { return gemm->choose(problem, bias); }
  };
  GemmChoice choose(GemmProblem const& problem, void* bias) {
    auto const candidates = heuristic(problem, bias);
    if (candidates.empty()) return {};
    if (!measure_ || memory_->capturing()) return candidates[0];
    try {
      return fastest(problem, candidates);
    } catch (Error const& error) {
      if (error.number() != 723) throw;  // no room to measure in
      return candidates[0];
    }
  }

  /// Scratch memory that is given back at the end of the scope.
  struct Scratch {
    DeviceMemory& memory;
    std::size_t bytes;
    void* data;
    Scratch(DeviceMemory& from, std::size_t size) : memory(from), bytes(size), data(from.allocate(size)) {}
    ~Scratch() { memory.deallocate(data, bytes); }
    Scratch(Scratch const&) = delete;
    Scratch& operator=(Scratch const&) = delete;
  };
  struct Event {
    cudaEvent_t event = nullptr;
    Event() { check_cuda(cudaEventCreate(&event), "cudaEventCreate"); }
    ~Event() { static_cast<void>(cudaEventDestroy(event)); }
    Event(Event const&) = delete;
    Event& operator=(Event const&) = delete;
  };

  GemmChoice fastest(GemmProblem const& p, std::vector<GemmChoice> const& candidates) {
    DeviceScope const scope(memory_->device());
    GemmFormat const format = gemm_format(p);
    auto const size = [](std::int64_t leading, std::int64_t columns, std::size_t bytes) {
      return static_cast<std::size_t>(leading * columns) * bytes;
    };
    Scratch a(*memory_, size(p[GemmProblem::lda], Description::columns_a(p), format.operand_bytes));
    Scratch b(*memory_, size(p[GemmProblem::ldb], Description::columns_b(p), format.operand_bytes));
    Scratch d(*memory_, size(p[GemmProblem::ldd], p[GemmProblem::n], format.result_bytes));
    Scratch bias(*memory_, size(std::max(p[GemmProblem::m], p[GemmProblem::n]), 1, 8));
    fill(format, a.data, a.bytes);
    fill(format, b.data, b.bytes);
    check_cuda(cudaMemsetAsync(d.data, 0, d.bytes, memory_->stream()), "cudaMemsetAsync");
    check_cuda(cudaMemsetAsync(bias.data, 0, bias.bytes, memory_->stream()), "cudaMemsetAsync");
    GemmBuffers const buffers{a.data, b.data, d.data, bias.data};
    Event const begin, end;
    GemmChoice best{};
    for (GemmChoice const& candidate : candidates) {
      float const time = measured(p, candidate, buffers, begin.event, end.event);
      if (!(time < (best.exists ? 0.98f * best.microseconds : std::numeric_limits<float>::infinity()))) continue;
      best = candidate;
      best.microseconds = time;
    }
    return best;
  }
  /// Microseconds; infinite if the candidate cannot run.
  float measured(GemmProblem const& problem, GemmChoice const& candidate, GemmBuffers const& buffers, cudaEvent_t begin,
                 cudaEvent_t end) {
    constexpr int rounds = 3, launches = 4;
    float best = std::numeric_limits<float>::infinity();
    if (launch(problem, candidate, buffers) != CUBLAS_STATUS_SUCCESS) return best;
    for (int round = 0; round < rounds; ++round) {
      check_cuda(cudaEventRecord(begin, memory_->stream()), "cudaEventRecord");
      for (int i = 0; i < launches; ++i)
        if (launch(problem, candidate, buffers) != CUBLAS_STATUS_SUCCESS) return std::numeric_limits<float>::infinity();
      check_cuda(cudaEventRecord(end, memory_->stream()), "cudaEventRecord");
      check_cuda(cudaEventSynchronize(end), "cudaEventSynchronize");
      float milliseconds = 0;
      check_cuda(cudaEventElapsedTime(&milliseconds, begin, end), "cudaEventElapsedTime");
      best = std::min(best, milliseconds * 1000 / launches);
    }
    return best;
  }
  void fill(GemmFormat const& format, void* to, std::size_t bytes) {
    if (format.operand_bytes == 2)
      fill_as<bfloat16>(to, bytes);
    else if (format.operand_bytes == 4)
      fill_as<float>(to, bytes);
    else
      fill_as<double>(to, bytes);
  }
  template <class T>
  void fill_as(void* to, std::size_t bytes) {
    Index const count = static_cast<Index>(bytes / sizeof(T));
    run_for_each<<<for_each_blocks(count), for_each_threads, 0, memory_->stream()>>>(count,
                                                                                     FillNoise<T>{static_cast<T*>(to)});
    check_cuda(cudaGetLastError(), "kernel fill_noise");
  }

  DeviceMemory* memory_;
  std::string device_name_;
  bool measure_;
  cublasLtHandle_t handle_ = nullptr;
  void* workspace_ = nullptr;
  GemmAlgorithms algorithms_;
};

}  // namespace hone::detail

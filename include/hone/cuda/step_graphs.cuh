#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "hone/core/step.hpp"
#include "hone/cuda/device_memory.cuh"
#include "hone/cuda/gemm_problem.hpp"

namespace hone::detail {

/// The work of steps as CUDA graphs: one launch instead of hundreds, and no gaps between kernels.
///
/// Every time a body runs, the stream's work is captured; the executable graph of the key (work, bucket of tokens, number of
/// sequences) takes over the new kernels' parameters by cudaGraphExecUpdate, or is made anew where the two differ in more,
/// and is launched. So sizes stay exact. The alternative, a graph that is captured once a bucket and only launched again,
/// must run the bucket's size every time, with inert rows that add nothing to any sum (up to a quarter of the work), and
/// read the step's numbers (learning rate, Philox key, pointers) from memory in every kernel; what it saves, the host's
/// time for the capture, passes while the device computes the step before or the next batch is made.
///
/// The first body of a key runs as it is: it takes what memory is lacking, measures matrix products and loads code, none
/// of which may happen in a capture. What happens there all the same (CannotCapture, or an error of CUDA) ends the
/// capture, of which nothing has run, and the body runs again, as it is. A key for which that happens three times is
/// given up.
class StepGraphs {
 public:
  /// How bodies were run: captured = updated + instantiated.
  struct Counts {
    std::int64_t captured = 0;      ///< launched as a graph
    std::int64_t updated = 0;       ///< of these: by a graph that was there
    std::int64_t instantiated = 0;  ///< of these: by a new one
    std::int64_t eager = 0;         ///< launch by launch: the first of each key, and where a capture could not be
    std::int64_t given_up = 0;      ///< of these: captures that were begun and ended without a graph
  };

  StepGraphs(DeviceMemory& memory, bool on) : memory_(&memory), on_(on) {}
  StepGraphs(StepGraphs const&) = delete;
  StepGraphs& operator=(StepGraphs const&) = delete;
  ~StepGraphs() { clear(); }

  Counts const& counts() const { return counts_; }

  /// Runs a body's work. What it throws comes through.
  template <class Body>
  void run(StepKey const& key, Body const& body) {
    if (inside_ || memory_->capturing()) return body();  // nested, or within a capture of the user's
    DeviceScope const scope(memory_->device());
    struct Inside {
      bool& flag;
      explicit Inside(bool& of) : flag(of) { flag = true; }
      ~Inside() { flag = false; }
    } const inside(inside_);
    Graph* const graph = on_ ? &graph_of(key) : nullptr;
    if (graph && graph->warm && graph->failures < most_failures) {
      if (capture(*graph, body)) return;
      ++graph->failures;
      ++counts_.given_up;
    }
    ++counts_.eager;
    body();
    if (graph) graph->warm = true;
  }

 private:
  static constexpr int most_failures = 3;
  static constexpr std::size_t most_graphs = 64;  // IMDB's batches of 16 have about ten keys; other data may have any number

  struct Graph {
    cudaGraphExec_t executable = nullptr;
    bool warm = false;  ///< a body of the key has run
    int failures = 0;
  };
  struct Hash {
    std::size_t operator()(StepKey const& key) const {
      std::uint64_t hash = static_cast<std::uint64_t>(key.work);
      for (Index const value : {key.rows, key.sequences})
        hash = (hash ^ static_cast<std::uint64_t>(value)) * 1099511628211u + 1469598103934665603u;
      return static_cast<std::size_t>(hash ^ hash >> 32);
    }
  };

  Graph& graph_of(StepKey key) {
    key.rows = key.rows > 0 ? gemm_bucket(key.rows) : 0;
    auto const found = graphs_.find(key);
    if (found != graphs_.end()) return found->second;
    if (graphs_.size() >= most_graphs) clear();
    return graphs_[key];
  }
  void clear() {
    for (auto& [key, graph] : graphs_)
      if (graph.executable) static_cast<void>(cudaGraphExecDestroy(graph.executable));
    graphs_.clear();
  }

  /// False: nothing has run.
  template <class Body>
  bool capture(Graph& to, Body const& body) {
    cudaStream_t const stream = memory_->stream();
    // ThreadLocal: what other threads of the program do with CUDA meanwhile is their own affair.
    if (cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal) != cudaSuccess) return forget_error();
    bool complete = true;
    memory_->set_capturing(true);
    try {
      body();
    } catch (...) {  // CannotCapture; or an error that comes again when the body runs as it is
      complete = false;
    }
    cudaGraph_t graph = nullptr;
    complete = cudaStreamEndCapture(stream, &graph) == cudaSuccess && complete && graph;
    memory_->set_capturing(false);
    bool const launched = complete && launch(to, graph);
    if (graph) static_cast<void>(cudaGraphDestroy(graph));
    return launched || forget_error();
  }
  bool launch(Graph& to, cudaGraph_t graph) {
    bool const updated = to.executable && update(to.executable, graph);
    if (!updated) {
      if (to.executable) static_cast<void>(cudaGraphExecDestroy(to.executable));
      to.executable = nullptr;
      static_cast<void>(cudaGetLastError());
      if (cudaGraphInstantiate(&to.executable, graph, 0) != cudaSuccess) {
        to.executable = nullptr;
        return false;
      }
    }
    if (cudaGraphLaunch(to.executable, memory_->stream()) != cudaSuccess) return false;
    ++counts_.captured;
    ++(updated ? counts_.updated : counts_.instantiated);
    return true;
  }
  static bool update(cudaGraphExec_t executable, cudaGraph_t graph) {
    cudaGraphExecUpdateResultInfo difference{};
    return cudaGraphExecUpdate(executable, graph, &difference) == cudaSuccess &&
           difference.result == cudaGraphExecUpdateSuccess;
  }
  /// An error of a capture concerns the capture alone; one that the device cannot recover from comes again.
  static bool forget_error() {
    static_cast<void>(cudaGetLastError());
    return false;
  }

  DeviceMemory* memory_;
  bool on_, inside_ = false;
  Counts counts_{};
  std::unordered_map<StepKey, Graph, Hash> graphs_{};
};

/// For results.json.
inline nlohmann::ordered_json to_json(StepGraphs::Counts const& counts) {
  return {{"captured", counts.captured},
          {"updated", counts.updated},
          {"instantiated", counts.instantiated},
          {"eager", counts.eager},
          {"given_up", counts.given_up}};
}

}  // namespace hone::detail

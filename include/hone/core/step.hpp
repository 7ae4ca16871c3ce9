#pragma once

#include <cstdint>
#include <utility>

#include "hone/core/matrix.hpp"

namespace hone {

/// Which pieces of a training step are alike: the work, and the size of its batch. A context that keeps graphs keeps one
/// for each key, with token numbers rounded up to a bucket.
struct StepKey {
  enum class Work : std::uint8_t {
    step,         ///< a whole step of one batch
    first_batch,  ///< forward and backward of the first batch of several
    later_batch,  ///< of a later one: gradients are added to
    end,          ///< clipping and the optimizer, after several batches
  };
  Work work = Work::step;
  Index rows = 0, sequences = 0;  ///< N, B

  bool operator==(StepKey const&) const = default;
};

/// Calls body(), whose work the context may put off until it has all of it: as one CUDA graph instead of hundreds of
/// launches (CudaContext), or as a list (testing::EmulatorContext). A context with a member step(key, body) does so;
/// on all others this is a call of body.
///
/// The rules of a body, which the emulator enforces (E736): it runs operations, and fills with zero, and nothing else. It
/// reads no result, waits for nothing, copies nothing to the device, takes and gives back no memory. It may be called
/// again, where the work could not be put off; the first call has then computed nothing, so the host's own state must be
/// as after one call. Bodies may be nested; the outermost counts.
template <class Context, class Body>
void run_step(Context& context, StepKey const& key, Body&& body) {
  if constexpr (requires { context.step(key, body); })
    context.step(key, body);
  else
    body();
}

}  // namespace hone

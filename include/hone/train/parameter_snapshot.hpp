// A model's parameters as they are now, to be put back to the bit.
#pragma once

#include <cstddef>
#include <vector>

#include "hone/core/parameter_store.hpp"

namespace hone {

/// Keeps the weights of a store, the copy that the layers read, the gradients and what is frozen; its end puts all of it
/// back, also when an exception ends the work. The store must outlive it.
template <Backend B>
class ParameterSnapshot {
 public:
  ParameterSnapshot(typename B::Context& context, ParameterStore<B>& store) : context_(context), store_(store) {
    download(store.weights(), weights_);
    download(store.working(), working_);
    download(store.gradients(), gradients_);
    context_.synchronize();
    for (Index id = 0; id < store.count(); ++id) frozen_.push_back(store.is_frozen(id));
  }
  ParameterSnapshot(ParameterSnapshot const&) = delete;
  ParameterSnapshot& operator=(ParameterSnapshot const&) = delete;
  ~ParameterSnapshot() { restore(); }

  /// Puts everything back; the snapshot stays.
  void restore() {
    upload(store_.weights(), weights_);
    upload(store_.working(), working_);
    upload(store_.gradients(), gradients_);
    context_.synchronize();
    for (Index id = 0; id < store_.count(); ++id) store_.freeze(id, frozen_[static_cast<std::size_t>(id)]);
  }

 private:
  template <class T>
  void download(VectorView<T> from, std::vector<T>& to) {
    to.resize(static_cast<std::size_t>(from.size));
    if (from.size > 0) context_.download(to.data(), from.data, to.size() * sizeof(T));
  }
  template <class T>
  void upload(VectorView<T> to, std::vector<T> const& from) {
    if (to.size > 0) context_.upload(to.data, from.data(), from.size() * sizeof(T));
  }

  typename B::Context& context_;
  ParameterStore<B>& store_;
  std::vector<MasterOf<typename B::Precision>> weights_, gradients_;
  std::vector<ActivationOf<typename B::Precision>> working_;
  std::vector<bool> frozen_;
};

}  // namespace hone

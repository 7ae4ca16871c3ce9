#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "hone/core/step.hpp"
#include "hone/cpu/backend.hpp"
#include "hone/heads/heads.hpp"
#include "hone/io/huggingface.hpp"
#include "hone/io/ledger.hpp"
#include "hone/io/model_weights.hpp"
#include "hone/io/safetensors_writer.hpp"
#include "hone/layers/dropout.hpp"
#include "hone/layers/linear.hpp"
#include "hone/loss/weighted_sum.hpp"
#include "hone/models/attribution.hpp"
#include "hone/models/bert_encoder.hpp"
#include "hone/models/model_folder.hpp"
#include "hone/models/outputs.hpp"
#include "hone/models/staged_step.hpp"
#include "hone/ops/loss.hpp"
#include "hone/text/tokenizer.hpp"

namespace hone {

/// How a model is made.
template <class BackendOptions>
struct BasicModelOptions {
  BackendOptions backend{};             ///< threads, or the device
  std::uint64_t seed = 0;               ///< of new parameters
  std::optional<double> dropout{};      ///< replaces every dropout probability of the configuration
  std::function<void(Index done, Index total)> on_progress{};  ///< called while a checkpoint is loaded, with tensors
};

/// What else is known of the batches that a plan of memory is for.
struct PlannedBatches {
  Index longest = 0;                         ///< tokens of the longest text; 0: as many as the model has positions
  Index predict_rows = 0, predict_size = 0;  ///< tokens and texts of the largest batch that is predicted between steps
};

/// A BERT encoder with heads on the [CLS] vector (position 0 of the last layer, no pooler):
///   cls = dropout(encoder(tokens)[first row of each sequence]),  output_h = Map_h(W_h cls + b_h)
///
/// All rows that nobody reads are left out of the last block (ReadRows::first). One object owns its context, parameters
/// and memory; it is not for use by several threads at once.
///
/// @tparam B         backend: Cpu<fp32>, Cpu<fp64>, ...
/// @tparam HeadList  Heads<...>; new heads are initialised as PyTorch's Linear, uniform in +-1 / sqrt(D)
template <Backend B = Cpu<>, class HeadList = SentimentAndStars>
class BertClassifier {
  using P = typename B::Precision;
  using A = ActivationOf<P>;
  using S = StatisticOf<P>;
  template <std::size_t I>
  using HeadAt = typename HeadList::template At<I>;

 public:
  using BackendType = B;
  using HeadsType = HeadList;
  using Labels = typename HeadList::Labels;
  using ModelOptions = BasicModelOptions<typename B::Options>;
  using Staged = StagedStep<B, HeadList>;

  BertClassifier(BertClassifier&&) noexcept;
  BertClassifier& operator=(BertClassifier&&) noexcept;
  ~BertClassifier();

  /// A new model from a configuration: every parameter is initialised from the seed.
  static BertClassifier from_config(BertConfig const& config, std::optional<Tokenizer> tokenizer = {},
                                    ModelOptions options = {});

  /// A model from a Hugging Face folder: config.json, model.safetensors (or shards), tokenizer.json or vocab.txt.
  ///
  /// Heads that the file does not have are new. Errors: those of the files; E510 a tensor is missing or has another shape;
  /// E531 the tokenizer is not the model's.
  static BertClassifier from_pretrained(std::filesystem::path const& folder, ModelOptions options = {});

  BertConfig const& config() const { return config_; }
  typename B::Context& context() { return *context_; }
  ParameterStore<B>& parameters() { return *parameters_; }
  ParameterStore<B> const& parameters() const { return *parameters_; }
  /// What was loaded, what is new, what was ignored and why. Empty for a model from a configuration.
  Ledger const& ledger() const { return ledger_; }
  bool has_tokenizer() const { return tokenizer_.has_value(); }
  /// Throws E532 when the model's folder had none.
  Tokenizer const& tokenizer() const {
    if (!tokenizer_)
      throw Error(532, "the model has no tokenizer", {.allowed = "tokenizer.json or vocab.txt"},
                  "put tokenizer.json or vocab.txt into the model's folder");
    return *tokenizer_;
  }
  /// The longest text that the position table allows, in tokens.
  Index max_length() const { return config_.max_position_embeddings; }

  /// Outputs for a batch, without dropout. Throws E414 to E416 for ids outside the tables.
  Outputs<HeadList> predict(RaggedBatch const& batch);
  /// Hidden states of every layer (0: embeddings), each (N, D), without dropout. For inspection and tests.
  std::vector<HostMatrix> hidden_states(RaggedBatch const& batch);

  /// For each head, each sequence and each of its tokens, a number.
  using Attributions = std::array<std::vector<std::vector<double>>, HeadList::count>;

  /// How much each token counts for what a head says, gradient times input:
  ///   w[b][i] = < d output_b / d e_i , e_i >
  /// where e_i (D) is what the embedding gives for token i of sequence b, and output_b is the score (logit) of a class where
  /// the head classifies, else its value. Positive: the token speaks for it. Dropout is off.
  ///
  /// What a text gets does not depend on the texts beside it, up to rounding. Parameters stay as they are; gradients are
  /// zero afterwards. Source: Simonyan et al. 2014, arXiv:1312.6034; Shrikumar et al. 2017, arXiv:1605.01713.
  ///
  /// @param classes  one a sequence: whose score; empty: the predicted class. Not for heads that do not classify.
  /// Errors: E750 no such head, E751 the classes, E752 within a training step, E414 to E416 ids outside the tables.
  std::vector<std::vector<double>> attribute(RaggedBatch const& batch, std::size_t head,
                                             std::span<Index const> classes = {});
  /// The same for every head and its predicted class, with one forward pass for all. By head.
  Attributions attribute(RaggedBatch const& batch);

  /// What a model of this configuration takes for batches of at most so many tokens in so many sequences, and steps of at
  /// most so many examples in so many such batches; nothing of it is taken. Without training: the weights, and what
  /// `predict` needs.
  ///
  /// On a processor the kernels' own memory is counted as well: scratch memory of the threads, and packed copies of the
  /// weights, all that there may be: in fp32, the weights of batches of few tokens, of which a run's last may be one.
  ///
  /// @param extra  called as extra(store, plan) while the parameters are declared, for what goes with them
  template <class Extra>
  static MemoryPlan memory_plan(BertConfig const& config, Index rows, Index size, Index step_examples, Index step_batches,
                                bool training, Extra&& extra, ModelOptions options = {}, PlannedBatches batches = {}) {
    BertClassifier model(config, {}, options);
    MemoryPlan plan;
    if constexpr (requires { model.context().available_bytes(); }) plan.available = model.context().available_bytes();
    model.parameters().plan_memory(plan);
    extra(std::as_const(model.parameters()), plan);
    model.plan_memory(plan, rows, size, step_examples, step_batches, training, batches);
    return plan;
  }

  /// Begins a training step over `examples` examples in all, however many batches they come in.
  void begin_step(Index examples);
  /// Forward and backward of one batch of the step: adds the gradient of
  ///   sum_i weight_i * (sum of loss_i over the batch) / (examples of the step),
  /// so that a step's gradient is that of the mean over all its examples, however it is cut into batches.
  ///
  /// `batch.first_example` is the index of its first sequence within the step. Labels are by head.
  template <class... L>
  void accumulate(RaggedBatch const& batch, Labels const& labels, WeightedSum<L...> const& losses, DropoutKey key) {
    static_assert(sizeof...(L) == HeadList::count,
                  "[hone-E131] The recipe has not one loss for each head of the model. See docs/errors.md#e131.");
    own_.clear();
    stage(batch, labels, own_);
    make_room(own_);
    context_->upload(step_memory_.data(), own_.memory().data(), own_.memory().size());  // own_ may be changed at once
    accumulate(0, losses, key);
  }

  /// Adds a batch with its labels to what will be copied in one piece; from any thread. Throws E414 to E416, E611, E420.
  void stage(RaggedBatch const& batch, Labels const& labels, Staged& to) const;
  /// Copies the batches of a step to the backend, after begin_step, and takes the memory that they need. Nothing is waited
  /// for; `staged` must stay as it is until the context has been synchronised (step_results does). Throws E610.
  void upload(Staged const& staged);
  /// `accumulate` for a batch of those that `upload` copied. A whole batch of work for run_step: from here on until the end
  /// of the step nothing is copied, waited for or allocated.
  template <class... L>
  void accumulate(std::size_t part, WeightedSum<L...> const& losses, DropoutKey key) {
    static_assert(sizeof...(L) == HeadList::count,
                  "[hone-E131] The recipe has not one loss for each head of the model. See docs/errors.md#e131.");
    check_losses<L...>(std::index_sequence_for<L...>{});
    typename Staged::Part const batch = parts_[part];
    contributions_ = parameters_->contributions();
    auto const work = part == 0 ? StepKey::Work::first_batch : StepKey::Work::later_batch;
    run_step(*context_, StepKey{work, batch.rows, batch.size}, [&] {
      Pass<B> pass = forward(batch, key);
      auto const labels = Staged::labels(step_memory_.data(), batch);
      for_each_index<HeadList::count>([&](auto i) {
        auto& head = cache_.heads[i];
        using Loss = typename WeightedSum<L...>::template At<i>;
        run<B>(*context_, LossForwardBackward<P, Loss>{head.y, std::get<i>(labels),
                                                       losses.weights[i] / double(step_examples_),
                                                       losses_of(i, batch.first_example, batch.size), head.dy});
      });
      backward(pass);
    });
  }
  /// Ends the gradients of the step; call before clipping and the optimizer.
  void end_step() {
    parameters_->end_step();
    in_step_ = false;
  }

  /// The losses of the step so far, of all heads, where the backend's memory is.
  VectorView<S const> step_losses() const {
    return results_.losses.view().slice(0, Index(HeadList::count) * step_examples_);
  }

  /// What the step gave: outputs and losses of its examples, in order, on the host.
  struct StepResults {
    Outputs<HeadList> outputs;
    std::array<std::vector<double>, HeadList::count> losses;  ///< by head, one an example, not weighted
  };
  /// `results`: of an earlier step, whose memory is used again.
  StepResults step_results(StepResults results = {});

  /// Writes config.json, model.safetensors and the tokenizer into a folder: the layout that from_pretrained and
  /// transformers load. Each file is replaced whole or not at all. Errors: E70x of the disk.
  void save(std::filesystem::path const& folder) const;

  /// Memory for activations, in bytes, as planned so far.
  std::size_t workspace_bytes() const { return workspace_.bytes(); }
  /// Fills planned memory with NaN before each use. For tests.
  void poison(bool on) { workspace_.poison(on); }

 private:
  struct HeadCache {
    typename Linear<B>::Cache linear;
    Matrix<B> x, dx;            ///< (B, K): the linear layer's output and its gradient
    MatrixView<S> y, dy;        ///< (B, K): the head's output, in the results of the step, and its gradient
  };
  struct Cache {
    typename BertEncoder<B>::Cache encoder;
    typename DropoutLayer<B>::Cache dropout;
    Matrix<B> cls, dcls;  ///< (B, D): dropped-out [CLS] vectors and their gradient
    std::array<HeadCache, HeadList::count> heads{};
  };
  struct Results {
    std::array<Buffer<B, S>, HeadList::count> outputs;
    Buffer<B, S> losses;  ///< head after head, each with the examples of the step
    Index examples = 0;
  };

  BertClassifier(BertConfig config, std::optional<Tokenizer> tokenizer, ModelOptions const& options);

  template <std::size_t... I>
  static std::array<Linear<B>, HeadList::count> make_heads(ParameterStore<B>& store, Index width,
                                                           std::index_sequence<I...>) {
    Initializer const uniform = Initializer::uniform(1.0 / std::sqrt(static_cast<double>(width)));
    return {Linear<B>(store, std::string(HeadAt<I>::name()), width, HeadAt<I>::width, uniform, uniform)...};
  }
  template <class... L, std::size_t... I>
  static constexpr void check_losses(std::index_sequence<I...>) {
    (static_cast<void>(detail::CheckLossOfHead<I, L, HeadAt<I>>{}), ...);
  }
  static std::vector<std::string> head_parameter_names() {
    std::vector<std::string> names;
    for (auto const name : HeadList::names())
      for (char const* part : {".weight", ".bias"}) names.push_back(std::string(name) + part);
    return names;
  }

  void reserve_results(Index examples) {
    if (results_.examples >= examples) return;
    for_each_index<HeadList::count>(
        [&](auto i) { results_.outputs[i] = Buffer<B, S>(*context_, examples * HeadAt<i>::width); });
    results_.losses = Buffer<B, S>(*context_, Index(HeadList::count) * examples);
    results_.examples = examples;
  }
  VectorView<S> losses_of(std::size_t head, Index first, Index count) const {
    return results_.losses.view().slice(Index(head) * step_examples_ + first, count);
  }

  /// Checks the batch and plans its memory.
  void prepare(RaggedBatch const& batch, Index examples, bool training) {
    batch.check(config_.vocab_size, config_.max_position_embeddings, config_.type_vocab_size);
    Index const first = training ? batch.first_example : 0;
    check_place(first + batch.size(), examples);
    reserve_results(examples);
    workspace_.plan([&](Plan& plan) { plan_batch(plan, batch.rows(), batch.size(), first, training); });
  }
  /// Takes the memory that the batches of a step need.
  void make_room(Staged const& staged) {
    for (auto const& part : staged.parts()) {
      check_place(part.first_example + part.size, step_examples_);
      workspace_.reserve([&](Plan& plan) { plan_batch(plan, part.rows, part.size, part.first_example, true); });
    }
    std::size_t const bytes = staged.memory().size();
    if (step_memory_.size() < Index(bytes)) {
      step_memory_ = {};
      step_memory_ = Buffer<B, std::byte>(*context_, Index(with_reserve(bytes)));
    }
    parts_ = staged.parts();
  }
  static void check_place(Index end, Index examples) {
    if (end > examples)
      throw Error(610, "a batch lies outside its training step",
                  {.value = std::to_string(end), .allowed = "up to " + std::to_string(examples) + " examples"},
                  "call begin_step with the number of examples of all batches of the step");
  }
  /// Places what forward and backward of a batch need; `first` is the place of its first sequence in the results.
  void plan_batch(Plan& plan, Index rows, Index size, Index first, bool training) {
    Index const width = config_.hidden_size;
    cache_.cls = plan.saved.matrix<A>(size, width);
    cache_.dcls = plan.saved.matrix<A>(size, width);
    for_each_index<HeadList::count>([&](auto i) {
      auto& head = cache_.heads[i];
      Index const outputs = HeadAt<i>::width;
      head.x = plan.saved.matrix<A>(size, outputs);
      head.dx = plan.saved.matrix<A>(size, outputs);
      head.dy = plan.saved.matrix<S>(size, outputs);
      head.y = {results_.outputs[i].data() + first * outputs, size, outputs};
      head.linear = heads_[i].plan(plan, size);
    });
    cache_.encoder = encoder_.plan(plan, rows, size, ReadRows::first, training, std::move(cache_.encoder));
  }
  /// What batches take, beside the parameters: see memory_plan.
  void plan_memory(MemoryPlan& plan, Index rows, Index size, Index step_examples, Index step_batches, bool training,
                   PlannedBatches batches);

  void forward(Pass<B>& pass) {
    encoder_.forward(pass, cache_.encoder);
    dropout_.forward(pass, cache_.encoder.output(), cache_.cls, cache_.dropout);
    for_each_index<HeadList::count>([&](auto i) {
      auto& head = cache_.heads[i];
      heads_[i].forward(pass, cache_.cls, head.x, head.linear);
      run<B>(*context_, MapForward<P, typename HeadAt<i>::Map>{head.x, head.y});
    });
  }
  /// The same for a batch that was uploaded: places what it needs, first.
  Pass<B> forward(typename Staged::Part const& batch, DropoutKey key);
  void backward(Pass<B>& pass);

  void check_attribution(RaggedBatch const& batch, std::size_t head, std::span<Index const> classes) const {
    if (head >= HeadList::count)
      throw Error(750, "the model has no head of this number",
                  {.value = std::to_string(head), .allowed = "0 to " + std::to_string(HeadList::count - 1)},
                  "give the place of a head in the model's list");
    if (in_step_)
      throw Error(752, "attributions were asked for within a training step", {},
                  "call end_step first: its gradients would be lost");
    Index allowed = 0;
    for_each_index<HeadList::count>([&](auto i) {
      // (clang 14 takes a requires-expression about HeadAt<i> for false here.)
      if constexpr (ClassifyingHead<HeadAt<i>>)
        if (i == head) allowed = HeadAt<i>::width;
    });
    detail::check_attributed_classes(classes, batch.size(), allowed);
  }
  Attributions attribute_heads(RaggedBatch const& batch, std::size_t begin, std::size_t end,
                               std::span<Index const> classes) {
    RaggedBatch alone = batch;  // the place in a training step plays no part
    alone.first_example = 0;
    prepare(alone, alone.size(), true);
    Pass<B> pass{*context_, *parameters_, memory_.upload(alone), {}, true, true};
    forward(pass);
    auto const e = cache_.encoder.encoder.inputs.front();
    HostMatrix const embedded = download<A>(e.data, e.rows, e.cols);
    Attributions all;
    for_each_index<HeadList::count>([&](auto i) {
      if (i < begin || i >= end) return;
      auto& head = cache_.heads[i];
      HostMatrix const y = download<S>(head.y.data, alone.size(), HeadAt<i>::width);
      auto const dy = detail::picked_outputs<S>(y, classes);
      context_->upload(head.dy.data, dy.data(), dy.size() * sizeof(S));
      run<B>(*context_, MapBackward<P, typename HeadAt<i>::Map>{head.x, head.dy, head.dx});
      heads_[i].backward(pass, head.dx, cache_.dcls, head.linear);
      dropout_.backward(pass, cache_.dcls, cache_.dcls, cache_.dropout);
      auto const de = encoder_.backward_to_embedding(pass, cache_.dcls, cache_.encoder);
      HostMatrix const gradient = download<A>(de.data, de.rows, de.cols);
      all[i] = detail::gradient_times_input(gradient, embedded, alone);
    });
    parameters_->begin_step();  // what was written to gradients is no step's
    parameters_->end_step();
    return all;
  }

  template <class T>
  HostMatrix download(T const* from, Index rows, Index cols) {
    std::vector<T> host(std::size_t(rows * cols));
    context_->download(host.data(), from, host.size() * sizeof(T));
    context_->synchronize();
    return {std::vector<double>(host.begin(), host.end()), cols};
  }
  /// Copies to the host into memory that is used again.
  void fetch(S const* from, Index count, std::vector<double>& to) {
    fetched_.resize(std::size_t(count));
    context_->download(fetched_.data(), from, fetched_.size() * sizeof(S));
    context_->synchronize();
    to.assign(fetched_.begin(), fetched_.end());
  }
  void fetch_outputs(Index count, Outputs<HeadList>& outputs) {
    for_each_index<HeadList::count>([&](auto i) {
      outputs.heads[i].cols = HeadAt<i>::width;
      fetch(results_.outputs[i].data(), count * HeadAt<i>::width, outputs.heads[i].values);
    });
  }

  std::unique_ptr<typename B::Context> context_;
  BertConfig config_;
  std::optional<Tokenizer> tokenizer_;
  std::unique_ptr<ParameterStore<B>> parameters_;
  BertEncoder<B> encoder_;
  DropoutLayer<B> dropout_;
  std::array<Linear<B>, HeadList::count> heads_;
  Workspace<B> workspace_;
  BatchMemory<B> memory_;
  Results results_;
  Cache cache_{};
  Staged own_;                                  ///< of accumulate(batch, ...)
  Buffer<B, std::byte> step_memory_;            ///< the batches that upload copied
  std::vector<typename Staged::Part> parts_{};  ///< what they are
  std::vector<bool> contributions_{};           ///< before the batch at work
  std::vector<S> fetched_{};                    ///< on the way to the host
  Ledger ledger_;
  Index step_examples_ = 0;
  bool in_step_ = false;
};

// What is long and called from templates is defined here and is not inline, so that it can be compiled elsewhere.

template <Backend B, class HeadList>
BertClassifier<B, HeadList>::BertClassifier(BertClassifier&&) noexcept = default;
template <Backend B, class HeadList>
BertClassifier<B, HeadList>& BertClassifier<B, HeadList>::operator=(BertClassifier&&) noexcept = default;
template <Backend B, class HeadList>
BertClassifier<B, HeadList>::~BertClassifier() = default;

template <Backend B, class HeadList>
BertClassifier<B, HeadList> BertClassifier<B, HeadList>::from_config(BertConfig const& config,
                                                                     std::optional<Tokenizer> tokenizer,
                                                                     ModelOptions options) {
  BertClassifier model(config, std::move(tokenizer), options);
  model.parameters().allocate();
  for (Index id = 0; id < model.parameters().count(); ++id) model.parameters().initialize(id, options.seed);
  return model;
}

template <Backend B, class HeadList>
BertClassifier<B, HeadList> BertClassifier<B, HeadList>::from_pretrained(std::filesystem::path const& folder,
                                                                         ModelOptions options) {
  BertClassifier model(BertConfig::from_file(folder / "config.json"), tokenizer_of_folder(folder), options);
  model.ledger_ = load_parameters(model.parameters(), ModelWeights::open(folder), head_parameter_names(), options.seed,
                                  options.on_progress);
  return model;
}

template <Backend B, class HeadList>
Outputs<HeadList> BertClassifier<B, HeadList>::predict(RaggedBatch const& batch) {
  prepare(batch, batch.size(), false);
  Pass<B> pass{*context_, *parameters_, memory_.upload(batch), {}, false};
  forward(pass);
  Outputs<HeadList> outputs;
  fetch_outputs(batch.size(), outputs);
  return outputs;
}

template <Backend B, class HeadList>
std::vector<HostMatrix> BertClassifier<B, HeadList>::hidden_states(RaggedBatch const& batch) {
  batch.check(config_.vocab_size, config_.max_position_embeddings, config_.type_vocab_size);
  typename BertEncoder<B>::Cache cache;
  workspace_.plan([&](Plan& plan) { cache = encoder_.plan(plan, batch.rows(), batch.size(), ReadRows::all, true); });
  Pass<B> pass{*context_, *parameters_, memory_.upload(batch), {}};
  encoder_.forward(pass, cache);
  std::vector<HostMatrix> states;
  for (auto const& state : cache.encoder.inputs) states.push_back(download<A>(state.data, state.rows, state.cols));
  return states;
}

template <Backend B, class HeadList>
std::vector<std::vector<double>> BertClassifier<B, HeadList>::attribute(RaggedBatch const& batch, std::size_t head,
                                                                        std::span<Index const> classes) {
  check_attribution(batch, head, classes);
  return std::move(attribute_heads(batch, head, head + 1, classes)[head]);
}

template <Backend B, class HeadList>
typename BertClassifier<B, HeadList>::Attributions BertClassifier<B, HeadList>::attribute(RaggedBatch const& batch) {
  check_attribution(batch, 0, {});
  return attribute_heads(batch, 0, HeadList::count, {});
}

template <Backend B, class HeadList>
void BertClassifier<B, HeadList>::begin_step(Index examples) {
  step_examples_ = examples;
  in_step_ = true;
  parameters_->begin_step();
  reserve_results(examples);
}

template <Backend B, class HeadList>
void BertClassifier<B, HeadList>::stage(RaggedBatch const& batch, Labels const& labels, Staged& to) const {
  batch.check(config_.vocab_size, config_.max_position_embeddings, config_.type_vocab_size);
  to.add(batch, labels);
}

template <Backend B, class HeadList>
void BertClassifier<B, HeadList>::upload(Staged const& staged) {
  make_room(staged);
  staged.memory().upload(step_memory_.data());
}

template <Backend B, class HeadList>
typename BertClassifier<B, HeadList>::StepResults BertClassifier<B, HeadList>::step_results(StepResults results) {
  fetch_outputs(step_examples_, results.outputs);
  for (std::size_t i = 0; i < HeadList::count; ++i)
    fetch(losses_of(i, 0, step_examples_).data, step_examples_, results.losses[i]);
  return results;
}

template <Backend B, class HeadList>
void BertClassifier<B, HeadList>::save(std::filesystem::path const& folder) const {
  save_model_folder(folder, *parameters_, config_, tokenizer_);
}

template <Backend B, class HeadList>
BertClassifier<B, HeadList>::BertClassifier(BertConfig config, std::optional<Tokenizer> tokenizer,
                                            ModelOptions const& options)
    : context_(std::make_unique<typename B::Context>(options.backend)),
      config_(with_dropout(std::move(config), options.dropout)),
      tokenizer_(std::move(tokenizer)),
      parameters_(std::make_unique<ParameterStore<B>>(*context_)),
      encoder_(*parameters_, config_),
      dropout_(config_.hidden_size, DropoutSite::head, 0, config_.head_dropout()),
      heads_(make_heads(*parameters_, config_.hidden_size, std::make_index_sequence<HeadList::count>{})),
      workspace_(*context_),
      memory_(*context_),
      own_(*context_) {
  if (tokenizer_) check_tokenizer(*tokenizer_, config_);
}

template <Backend B, class HeadList>
void BertClassifier<B, HeadList>::plan_memory(MemoryPlan& plan, Index rows, Index size, Index step_examples,
                                              Index step_batches, bool training, PlannedBatches batches) {
  using Context = typename B::Context;
  // The same memory serves steps and predictions, in turn.
  bool const predicts = !training || batches.predict_rows > 0;
  Index const predict_rows = training ? batches.predict_rows : rows;
  Index const predict_size = training ? batches.predict_size : size;
  std::size_t activations = 0, kernels = 0;
  auto const count = [&](Index of_rows, Index of_size, bool of_training) {
    Plan counting;
    std::optional<detail::KernelDemand> demand;
    if constexpr (std::is_base_of_v<HostContext, Context>) {
      Index const positions = std::min(config_.max_position_embeddings, of_rows);
      counting.demand = &demand.emplace(context().instruction_set(), bfloat16_dots().fast, of_training, of_size,
                                        batches.longest > 0 ? std::min(batches.longest, positions) : positions);
    }
    plan_batch(counting, of_rows, of_size, 0, of_training);
    activations = std::max(activations, Workspace<B>::reserve_for(counting));
    kernels = std::max(kernels, counting.kernels);
    return demand;
  };
  std::optional<detail::KernelDemand> demand, of_predictions;
  if (training) demand = count(rows, size, true);
  if (predicts) of_predictions = count(predict_rows, predict_size, false);
  plan.add("activations and their scratch", activations);
  if constexpr (requires { context().reserve_scratch(kernels); }) plan.add_most("scratch of kernels", with_reserve(kernels));
  if constexpr (std::is_base_of_v<HostContext, Context>) {
    if (!demand) demand = of_predictions;  // a step packs all that a prediction does
    if (of_predictions) demand->scratch_of(*of_predictions);
    KernelBytes const held = demand->bytes(context().threads());
    plan.add_most("scratch of the threads' kernels", held.scratch);
    plan.add_most("packed copies of the weights", held.packed_weights);
  }
  std::uint64_t numbers = 0, batch_bytes = 0;
  for_each_index<HeadList::count>([&](auto i) { numbers += HeadAt<i>::width + 1; });
  if (training) batch_bytes += with_reserve(static_cast<std::size_t>(step_batches) * Staged::bytes(rows, size));
  if (predicts)
    batch_bytes += static_cast<std::uint64_t>(BatchMemory<B>::reserve_for(BatchNumbers::count(predict_rows, predict_size))) *
                   sizeof(std::int32_t);
  Index const examples = std::max(step_examples, training ? batches.predict_size : Index{0});
  plan.add("batch and results", batch_bytes + numbers * static_cast<std::uint64_t>(examples) * sizeof(S));
  if constexpr (requires { Context::library_bytes(); }) plan.add("workspace of cuBLASLt", Context::library_bytes());
}

template <Backend B, class HeadList>
Pass<B> BertClassifier<B, HeadList>::forward(typename Staged::Part const& batch, DropoutKey key) {
  parameters_->set_contributions(contributions_);
  workspace_.plan([&](Plan& plan) { plan_batch(plan, batch.rows, batch.size, batch.first_example, true); });
  Pass<B> pass{*context_, *parameters_, Staged::batch(step_memory_.data(), batch), key};
  forward(pass);
  return pass;
}

template <Backend B, class HeadList>
void BertClassifier<B, HeadList>::backward(Pass<B>& pass) {
  for_each_index<HeadList::count>([&](auto i) {
    auto& head = cache_.heads[i];
    run<B>(*context_, MapBackward<P, typename HeadAt<i>::Map>{head.x, head.dy, head.dx});
    heads_[i].backward(pass, head.dx, cache_.dcls, head.linear, i == 0 ? Write::assign : Write::add);
  });
  dropout_.backward(pass, cache_.dcls, cache_.dcls, cache_.dropout);
  encoder_.backward(pass, cache_.dcls, cache_.encoder);
}

// A program may compile the models once, apart from the rest, as it may the kernels (cpu/kernels.hpp). Models with heads of
// one's own are compiled where they are used; their encoder is not.
#if defined(HONE_KERNELS_ELSEWHERE)
extern template class BertClassifier<Cpu<fp32>, SentimentAndStars>;
extern template class BertClassifier<Cpu<mixed>, SentimentAndStars>;
#endif

}  // namespace hone

// Every operation on a device against the reference on the host: by the ladder of Cuda, by Thrust, by generic/ there.
#include "cuda/device.hpp"

#include "hone/heads/regress.hpp"
#include "hone/loss/cross_entropy.hpp"
#include "hone/loss/l1.hpp"

namespace {

using namespace hone;
using test::AnyGrid;
using test::Grid;
using test::Place;

using Outputs = std::vector<AnyGrid>;

/// The lengths of a batch: one token, odd ones, more than a tile.
std::vector<int> const lengths{1, 7, 64, 33, 130};

/// Calls body.operator()<B>() for the ladder of Cuda, for Thrust and for generic/ on the device.
template <class P, class Body>
void on_each_ladder(Body const& body) {
  {
    INFO("kernels");
    body.template operator()<Cuda<P>>();
  }
  {
    INFO("thrust");
    body.template operator()<test::DeviceThrust<P>>();
  }
  {
    INFO("generic");
    body.template operator()<test::DeviceGeneric<P>>();
  }
}

template <class P>
struct Operations {
  using A = ActivationOf<P>;
  using S = StatisticOf<P>;
  using M = MasterOf<P>;
  CudaContext& device;

  template <class Compute>
  void check(std::int64_t terms, Compute const& compute) const {
    on_each_ladder<P>([&]<class B>() {
      test::check_on_device<B>(
          device,
          [&]<class On>(typename On::Context& context) {
            Place<On> place(context);
            return compute.template operator()<On>(context, place);
          },
          terms);
    });
  }

  void linear(Index rows, Index inputs, Index outputs, Index gap) const {
    INFO("linear: rows " << rows << ", inputs " << inputs << ", outputs " << outputs << ", gap " << gap);
    auto const x = Grid<A>::random(rows, inputs, 1, 1, gap), weight = Grid<A>::random(outputs, inputs, 2);
    auto const dy = Grid<A>::random(rows, outputs, 3, 1, gap), bias = Grid<A>::random(1, outputs, 4);
    for (bool const with_bias : {true, false}) {
      check(inputs, [&]<class B>(auto& context, Place<B>& place) -> Outputs {
        Grid<A> y(rows, outputs, gap);
        run<B>(context,
               LinearForward<P>{place(x), place(weight), with_bias ? place.vector(bias) : VectorView<A const>{}, place(y)});
        place.fetch();
        return {y};
      });
      for (Write const write : {Write::assign, Write::add}) {
        check(rows, [&]<class B>(auto& context, Place<B>& place) -> Outputs {
          auto dweight = Grid<M>::random(outputs, inputs, 6), dbias = Grid<M>::random(1, outputs, 7);
          run<B>(context, LinearBackwardParameters<P>{place(x), place(dy), place(dweight),
                                                      with_bias ? place.vector(dbias) : VectorView<M>{}, write});
          place.fetch();
          return {dweight, dbias};
        });
      }
    }
    for (Write const write : {Write::assign, Write::add}) {
      check(outputs, [&]<class B>(auto& context, Place<B>& place) -> Outputs {
        auto dx = Grid<A>::random(rows, inputs, 5, 1, gap);
        run<B>(context, LinearBackwardInput<P>{place(dy), place(weight), place(dx), write});
        place.fetch();
        return {dx};
      });
    }
  }

  void activation(Activation kind, Index rows, Index width, Index gap) const {
    INFO("activation " << int(kind) << ": rows " << rows << ", width " << width << ", gap " << gap);
    auto const u = Grid<A>::random(rows, width, 1, 6, gap), dh = Grid<A>::random(rows, width, 2, 1, gap);
    check(4, [&]<class B>(auto& context, Place<B>& place) -> Outputs {
      Grid<A> h(rows, width, gap), du(rows, width, gap);
      run<B>(context, ActivationForward<P>{kind, place(u), place(h)});
      run<B>(context, ActivationBackward<P>{kind, place(u), place(dh), place(du)});
      place.fetch();
      return {h, du};
    });
  }

  void dropout(Index width, Index gap) const {
    INFO("dropout: width " << width);
    test::Rows const rows(lengths);
    auto const x = Grid<A>::random(rows.size(), width, 1, 1, gap);
    check(1, [&]<class B>(auto& context, Place<B>& place) -> Outputs {
      Grid<A> y(rows.size(), width, gap);
      run<B>(context, DropoutApply<P>{place(x), test::some_dropout(0.1), place.rows(rows), place(y)});
      place.fetch();
      return {y};
    });
  }

  void residual_norm(Index width, double p, Index gap) const {
    INFO("residual norm: width " << width << ", dropout " << p);
    test::Rows const rows(lengths);
    Index const n = rows.size();
    auto const x = Grid<A>::random(n, width, 1, 1, gap), residual = Grid<A>::random(n, width, 2, 1, gap);
    auto const dy = Grid<A>::random(n, width, 3, 1, gap);
    auto const gamma = Grid<A>::random(1, width, 4), beta = Grid<A>::random(1, width, 5);
    Dropout const dropout = p > 0 ? test::some_dropout(p) : Dropout{};
    check(width, [&]<class B>(auto& context, Place<B>& place) -> Outputs {
      Grid<A> z(n, width, gap), y(n, width, gap);
      Grid<S> mean(1, n), rstd(1, n);
      run<B>(context,
             ResidualNormForward<P>{place(x), place(residual), dropout, place.rows(rows), place.vector(gamma),
                                    place.vector(beta), 1e-5, place(z), place(y), place.vector(mean), place.vector(rstd)});
      place.fetch();
      return {z, y, mean, rstd};
    });
    auto const z = Grid<A>::random(n, width, 6, 1, gap);
    Grid<S> mean(1, n), rstd(1, n);
    for (Index r = 0; r < n; ++r) mean(0, r) = S(0.01), rstd(0, r) = S(1.7);
    for (Write const write : {Write::assign, Write::add})
      check(n, [&]<class B>(auto& context, Place<B>& place) -> Outputs {
        Grid<A> dz(n, width, gap), dx(n, width, gap);
        auto dgamma = Grid<M>::random(1, width, 7), dbeta = Grid<M>::random(1, width, 8);
        run<B>(context, ResidualNormBackward<P>{place(dy), place(z), place.vector(mean), place.vector(rstd),
                                                place.vector(gamma), dropout, place.rows(rows), place(dz), place(dx),
                                                place.vector(dgamma), place.vector(dbeta), write});
        place.fetch();
        return {dz, dx, dgamma, dbeta};
      });
  }

  void embedding(Index width) const {
    INFO("embedding: width " << width);
    test::Rows const rows(lengths);
    Index const n = rows.size();
    std::vector<std::int32_t> tokens, segments;
    for (Index i = 0; i < n; ++i) {
      tokens.push_back(std::int32_t(i * i % 31 == 0 ? 2 : i * 7 % 31));  // one of them often
      segments.push_back(std::int32_t(i % 3 == 0));
    }
    auto const word = Grid<A>::random(37, width, 1), position = Grid<A>::random(140, width, 2),
               segment = Grid<A>::random(2, width, 3);
    auto const gamma = Grid<A>::random(1, width, 4), beta = Grid<A>::random(1, width, 5);
    auto const dropout = test::some_dropout(0.1);
    check(width, [&]<class B>(auto& context, Place<B>& place) -> Outputs {
      Grid<A> z(n, width), y(n, width);
      Grid<S> mean(1, n), rstd(1, n);
      run<B>(context,
             EmbeddingForward<P>{place.vector(tokens), place.vector(rows.position), place.vector(segments), place(word),
                                 place(position), place(segment), place.vector(gamma), place.vector(beta), 1e-5, dropout,
                                 place.rows(rows), place(z), place(y), place.vector(mean), place.vector(rstd)});
      place.fetch();
      return {z, y, mean, rstd};
    });
    auto const dy = Grid<A>::random(n, width, 6), z = Grid<A>::random(n, width, 7);
    Grid<S> mean(1, n), rstd(1, n);
    for (Index r = 0; r < n; ++r) mean(0, r) = S(0.01), rstd(0, r) = S(1.7);
    for (Write const write : {Write::assign, Write::add})
      check(n, [&]<class B>(auto& context, Place<B>& place) -> Outputs {
        Grid<A> dz(n, width);
        auto dword = Grid<M>::random(37, width, 8), dposition = Grid<M>::random(140, width, 9);
        auto dsegment = Grid<M>::random(2, width, 10), dgamma = Grid<M>::random(1, width, 11);
        auto dbeta = Grid<M>::random(1, width, 12);
        run<B>(context,
               EmbeddingBackward<P>{place.vector(tokens), place.vector(rows.position), place.vector(segments), place(dy),
                                    place(z), place.vector(mean), place.vector(rstd), place.vector(gamma), dropout,
                                    place.rows(rows), place(dz), place(dword), place(dposition), place(dsegment),
                                    place.vector(dgamma), place.vector(dbeta), write});
        place.fetch();
        return {dz, dword, dposition, dsegment, dgamma, dbeta};
      });
  }

  void attention(Index heads, Index width, double p, bool first_only) const {
    INFO("attention: heads " << heads << ", width " << width << ", dropout " << p << ", first rows " << first_only);
    test::Rows const keys(lengths), queries(first_only ? std::vector<int>(lengths.size(), 1) : lengths);
    Index const n = keys.size(), m = queries.size(), model = heads * width;
    auto const qkv = Grid<A>::random(n, 3 * model, 1), dy = Grid<A>::random(m, model, 2);
    Dropout const dropout = p > 0 ? test::some_dropout(p) : Dropout{};
    double const scale = 1 / std::sqrt(double(width));
    Index const longest = 130;
    check(longest + width, [&]<class B>(auto& context, Place<B>& place) -> Outputs {
      Grid<A> y(m, model), dq(m, model), dkv(n, 2 * model);
      Grid<S> lse(m, heads), delta(m, heads);
      auto const all = place(qkv);
      auto const q = all.column_block(0, model).row_block(0, m), k = all.column_block(model, model),
                 v = all.column_block(2 * model, model);
      auto const key_offsets = place.vector(keys.offsets), query_offsets = place.vector(queries.offsets);
      auto const out = place(y);
      auto const sums = place(lse);
      run<B>(context, AttentionForward<P>{q, k, v, query_offsets, key_offsets, heads, scale, dropout, 5, out, sums});
      auto const gradients = place(dkv);
      run<B>(context, AttentionBackward<P>{q, k, v, out, place(dy), sums, query_offsets, key_offsets, heads, scale, dropout,
                                           5, place(delta), place(dq), gradients.column_block(0, model),
                                           gradients.column_block(model, model)});
      place.fetch();
      return {y, lse, dq, dkv};
    });
  }

  void optimizer(Index size) const {
    INFO("optimizer: " << size << " parameters");
    auto const gradient = Grid<M>::random(1, size, 1);
    check(size, [&]<class B>(auto& context, Place<B>& place) -> Outputs {
      Grid<double> partials(1, (size + norm_chunk - 1) / norm_chunk), values(1, 3);
      auto const squares = place.vector(values);
      run<B>(context, SumOfSquares<P>{place.vector(gradient), place.vector(partials), squares.slice(0, 1)});
      run<B>(context, ClipScale<P>{squares.slice(0, 1), 1.0, squares.slice(1, 1), squares.slice(2, 1)});
      place.fetch();
      for (Index i = 0; i < 2; ++i) values(0, i) /= double(size);  // to the size of the inputs
      return {values};
    });
    check(4, [&]<class B>(auto& context, Place<B>& place) -> Outputs {
      auto weight = Grid<M>::random(1, size, 2), first = Grid<M>::random(1, size, 3, 0.1);
      auto second = Grid<M>::random(1, size, 4, 0.1);
      for (Index i = 0; i < size; ++i) second(0, i) = second(0, i) < 0 ? -second(0, i) : second(0, i);
      Grid<double> scale(1, 1);
      scale(0, 0) = 0.5;
      Grid<A> working(1, size);
      constexpr bool has_copy = !std::is_same_v<A, M>;
      run<B>(context, AdamWStep<P>{place.vector(weight), place.vector(gradient), place.vector(first), place.vector(second),
                                   place.vector(std::as_const(scale)), 1e-3, 0.01, 0.9, 0.999, 1e-8, 0.1, 0.001,
                                   has_copy ? place.vector(working) : VectorView<A>{}});
      place.fetch();
      if (!has_copy) return {weight, first, second};
      return {weight, first, second, working};
    });
  }

  void rows_and_losses(Index width) const {
    INFO("rows and losses: width " << width);
    auto const x = Grid<A>::random(50, width, 1, 3, 1);
    auto const outputs = Grid<S>::random(50, width, 2);
    std::vector<std::int32_t> labels;
    std::vector<double> stars;
    for (int i = 0; i < 50; ++i) labels.push_back(i % int(width)), stars.push_back(i % 10 + 1);
    auto const dy = Grid<S>::random(50, width, 3);
    using Map = Affine<5, 5>;
    check(width, [&]<class B>(auto& context, Place<B>& place) -> Outputs {
      Grid<S> losses(1, 50), doutputs(50, width), star_losses(1, 50), dstars(50, 1), y(50, width);
      Grid<A> dx(50, width);
      run<B>(context, LossForwardBackward<P, CrossEntropy>{place(outputs), place.vector(labels), 0.25, place.vector(losses),
                                                           place(doutputs)});
      run<B>(context, LossForwardBackward<P, L1>{place(outputs).column_block(0, 1), place.vector(stars), 0.25,
                                                 place.vector(star_losses), place(dstars)});
      run<B>(context, MapForward<P, Map>{place(x), place(y)});
      run<B>(context, MapBackward<P, Map>{place(x), place(dy), place(dx)});
      place.fetch();
      return {losses, doutputs, star_losses, dstars, y, dx};
    });
  }

  void all() const {
    for (Index const rows : {1, 5, 16, 235}) {
      linear(rows, 64, 192, 0);
      linear(rows, 20, 28, 1);
      linear(rows, 33, 2, 0);
    }
    linear(300, 768, 3072, 0);
    for (Activation const kind : {Activation::gelu, Activation::gelu_new, Activation::relu})
      for (Index const gap : {0, 3}) activation(kind, 37, 120, gap);
    for (Index const width : {8, 21, 768}) {
      dropout(width, width % 8 ? 1 : 0);
      for (double const p : {0.0, 0.1}) residual_norm(width, p, width % 8 ? 1 : 0);
      embedding(width);
    }
    for (bool const first_only : {false, true})
      for (double const p : {0.0, 0.1}) {
        attention(3, 64, p, first_only);
        attention(2, 32, p, first_only);
        attention(1, 128, p, first_only);
        attention(2, 5, p, first_only);
      }
    for (Index const size : {1, 1000, 40000}) optimizer(size);
    for (Index const width : {2, 7}) rows_and_losses(width);
  }
};

TEST_CASE("every operation in float agrees with the reference") {
  if (auto const why = test::no_device(); !why.empty()) HONE_SKIP(why.c_str());
  CudaContext device(CudaOptions{.threads = 1, .check_kernels = true});
  Operations<fp32>{device}.all();
}

TEST_CASE("every operation in mixed precision agrees with the reference") {
  if (auto const why = test::no_device(); !why.empty()) HONE_SKIP(why.c_str());
  CudaContext device(CudaOptions{.threads = 1, .check_kernels = true});
  Operations<mixed>{device}.all();
}

}  // namespace

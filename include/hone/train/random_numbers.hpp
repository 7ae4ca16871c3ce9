// Whether the values of a tensor can be told from independent random numbers, which is what a new tensor holds.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "hone/core/parameter_store.hpp"

namespace hone {

/// How a tensor differs from independent random numbers of mean zero and one distribution: each number is a standard score,
/// a few where it does not differ, and hundreds where training shaped the tensor.
///
///   mean          the mean of all values
///   row_means     sum over rows of R (row mean)^2 / variance, chi-squared; column_means alike
///   row_energies  spread of the rows' mean squares, against (kurtosis - 1) variance^2 / C; column_energies alike
///   shape         kurtosis and skewness, against the nearest of normal, normal cut at two deviations, and uniform
///
/// Rows of zeros (a padding token's) are left out. Sums of squares become scores by the cube root of Wilson and Hilferty
/// 1931, PNAS 17, pages 684 to 688.
struct RandomnessScores {
  std::size_t values = 0;  ///< that were looked at
  double deviation = 0;    ///< standard deviation of the values
  double mean = 0, row_means = 0, column_means = 0, row_energies = 0, column_energies = 0, shape = 0;

  double largest() const { return std::max({mean, row_means, column_means, row_energies, column_energies, shape}); }
};

namespace detail {

/// The standard score of a chi-squared sum with so many degrees of freedom.
inline double chi_squared_score(double sum, double freedom) {
  double const width = 2 / (9 * freedom);
  return (std::cbrt(sum / freedom) - (1 - width)) / std::sqrt(width);
}

}  // namespace detail

/// Scores of a matrix (rows, cols), row-major. Of more than `most` values every k-th row is looked at.
template <class T>
RandomnessScores randomness_scores(std::span<T const> matrix, Index rows, Index cols, Index most = Index{1} << 22) {
  Index const stride = std::max<Index>(1, rows * cols / std::max<Index>(most, 1));
  auto const width = static_cast<std::size_t>(cols);
  std::vector<double> column_sum(width), column_energy(width), row_sum, row_energy;
  double sum2 = 0, sum3 = 0, sum4 = 0;
  for (Index r = 0; r < rows; r += stride) {
    T const* const row = matrix.data() + r * cols;
    double one = 0, two = 0, three = 0, four = 0;
    for (std::size_t c = 0; c < width; ++c) {
      double const x = static_cast<double>(row[c]), square = x * x;
      one += x, two += square, three += square * x, four += square * square;
      column_sum[c] += x;
      column_energy[c] += square;
    }
    if (two == 0) continue;
    row_sum.push_back(one);
    row_energy.push_back(two);
    sum2 += two, sum3 += three, sum4 += four;
  }
  RandomnessScores scores;
  double const count_rows = static_cast<double>(row_sum.size()), count_cols = static_cast<double>(cols);
  double const count = count_rows * count_cols;
  scores.values = row_sum.size() * width;
  if (scores.values < 2) return scores;
  double total = 0;
  for (double const s : row_sum) total += s;
  double const variance = sum2 / count, kurtosis = sum4 / count / (variance * variance);
  scores.deviation = std::sqrt(variance);
  scores.mean = std::abs(total) / std::sqrt(count * variance);
  auto const means = [variance](std::vector<double> const& sums, double each) {
    double chi = 0;
    for (double const s : sums) chi += s * s / (each * variance);
    return detail::chi_squared_score(chi, static_cast<double>(sums.size()));
  };
  auto const energies = [&](std::vector<double> const& squares, double each) {
    double const expected = std::max(kurtosis - 1, 1e-6) * variance * variance * each;  // variance of a sum of squares
    double chi = 0;
    for (double const s : squares) chi += (s - each * variance) * (s - each * variance) / expected;
    return squares.size() < 2 ? 0.0 : detail::chi_squared_score(chi, static_cast<double>(squares.size()) - 1);
  };
  scores.row_means = means(row_sum, count_cols);
  scores.column_means = means(column_sum, count_rows);
  scores.row_energies = energies(row_energy, count_cols);
  scores.column_energies = energies(column_energy, count_rows);
  double nearest = std::abs(kurtosis - 3);  // normal; the next two: cut at two deviations (TensorFlow's), uniform
  for (double const other : {2.3656, 1.8}) nearest = std::min(nearest, std::abs(kurtosis - other));
  double const skewness = sum3 / count / (variance * scores.deviation);
  scores.shape = std::max(nearest / std::sqrt(24 / count), std::abs(skewness) / std::sqrt(6 / count));
  return scores;
}

}  // namespace hone

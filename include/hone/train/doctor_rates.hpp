// A few steps on one batch: at growing learning rates, and at one rate until it is learnt by heart.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/train/doctor_exam.hpp"
#include "hone/train/doctor_text.hpp"
#include "hone/train/finding.hpp"

#if HONE_BODIES
#include <nlohmann/json.hpp>
#endif

namespace hone::detail {

/// Losses of one batch under growing learning rates: what the range test measures.
struct RateRange {
  std::vector<double> rates{};
  std::vector<double> losses{};  ///< before each step, and after the last: one more than rates
  double best = 0;               ///< the rate at which the loss fell most; 0: it never fell
  double too_high = 0;           ///< the first rate after which the loss was above where it began; 0: none
};

/// Reads a series of losses. A fall counts relative to what was there.
void read_range(RateRange& range);

/// Steps on one batch, each at a higher rate, from 1e-5 on, until the loss explodes.
/// Source: Smith 2017, arXiv:1506.01186, section 3.3.
RateRange measure_range(Exam& exam, Exam::Sample const& sample, double factor);

/// The losses of one batch at one rate, before the first step and after the last: as many steps as it takes to learn
/// something, at most 40; where time is short not fewer than 6.
struct OverfitRun {
  double before = 0, after = 0;
  std::size_t steps = 0;
};
OverfitRun measure_overfit(Exam& exam, Exam::Sample const& sample, double rate, double seconds_of_step);

/// D24: the rate of the run beside what one batch can bear.
/// @param warms_up  the schedule begins low, so that the first steps, which one batch can tell of, are not at this rate
Finding rate_finding(RateRange const& range, double rate, bool warms_up = false);

/// D23: whether a few steps on one batch drive its loss down.
Finding overfit_finding(double before, double after, std::size_t steps, double rate, std::size_t texts);

#if HONE_BODIES

HONE_INLINE void read_range(RateRange& range) {
  double largest_fall = 0;
  for (std::size_t i = 0; i + 1 < range.losses.size(); ++i) {
    double const before = range.losses[i], after = range.losses[i + 1];
    bool const up = !std::isfinite(after) || after > 1.05 * range.losses.front() + 1e-3;
    if (range.too_high == 0 && up) range.too_high = range.rates[i];
    if (range.too_high > 0) break;
    double const fall = (before - after) / std::max(before, 1e-12);
    if (fall > largest_fall) largest_fall = fall, range.best = range.rates[i];
  }
}

HONE_INLINE RateRange measure_range(Exam& exam, Exam::Sample const& sample, double factor) {
  RateRange range;
  exam.new_optimizer();
  for (double rate = 1e-5; rate < 1.1; rate *= factor) {
    range.rates.push_back(rate);
    range.losses.push_back(exam.step(sample, rate));
    double const loss = range.losses.back();
    if (!std::isfinite(loss) || loss > 2 * range.losses.front() + 1) break;
  }
  range.losses.push_back(exam.gradients(sample));
  exam.end_optimizer();
  read_range(range);
  return range;
}

HONE_INLINE OverfitRun measure_overfit(Exam& exam, Exam::Sample const& sample, double rate, double seconds_of_step) {
  exam.new_optimizer();
  OverfitRun run;
  for (;; ++run.steps) {
    bool const last = run.steps >= 40 || (run.steps >= 6 && !exam.time_for(seconds_of_step));
    run.after = last ? exam.gradients(sample) : exam.step(sample, rate);
    if (run.steps == 0) run.before = run.after;
    if (last || !(run.after >= 0.7 * run.before)) break;
  }
  exam.end_optimizer();
  return run;
}

HONE_INLINE Finding rate_finding(RateRange const& range, double rate, bool warms_up) {
  Finding finding{"D24", Severity::ok, "", "", "", {}};
  *finding.data = {{"rates", range.rates}, {"losses", range.losses}, {"best", range.best}, {"too_high", range.too_high}};
  if (range.best == 0) {
    finding.severity = Severity::warning;
    finding.title = "no learning rate from " + number_text(range.rates.front()) + " to " + number_text(range.rates.back()) +
                    " made the loss of one batch fall";
    finding.next = "see D22 and D23: something keeps the model from learning";
    return finding;
  }
  finding.title = "learning rate " + number_text(rate) + "; one batch is learnt fastest at " + number_text(range.best) +
                  (range.too_high > 0 ? ", its loss rises from " + number_text(range.too_high) + " on" : "");
  if (range.too_high > 0 && rate >= range.too_high) {
    finding.severity = warms_up ? Severity::warning : Severity::error;
    finding.title += warms_up ? ": too high without warm-up" : ": too high";
    finding.next = "begin with " + number_text(range.too_high / 30, 1) + " or less";
  } else if (range.too_high > 0 && rate > range.too_high / 4) {
    finding.severity = warms_up ? Severity::note : Severity::warning;
    finding.title += ": close to that";
    finding.next =
        warms_up ? "the warm-up is needed" : "begin with " + number_text(range.too_high / 30, 1) + ", or use warm-up";
  } else if (rate < range.best / 3000) {
    finding.severity = Severity::note;
    finding.title += ": very low";
    finding.next = "with so small a rate little is learnt in one epoch; try " + number_text(range.best / 30, 1);
  }
  return finding;
}

HONE_INLINE Finding overfit_finding(double before, double after, std::size_t steps, double rate, std::size_t texts) {
  Finding finding{"D23", Severity::ok, "", "", "", {}};
  *finding.data = {{"before", before}, {"after", after}, {"steps", steps}, {"rate", rate}};
  finding.title = counted(steps, "step") + " on one batch of " + counted(texts, "text") + ": loss " + number_text(before) +
                  " to " + number_text(after);
  if (after < 0.9 * before) return finding;
  bool const none = !(after < 0.99 * before);
  finding.severity = none ? Severity::error : Severity::warning;
  finding.title += none ? ": it is not learnt" : ": it is hardly learnt";
  finding.detail =
      "at learning rate " + number_text(rate) + ", without dropout; a model that trains learns a few texts by heart";
  finding.next = "see D22 for parts that get no gradient; check optimizer, clipping and loss weights of the recipe";
  return finding;
}

#endif

}  // namespace hone::detail

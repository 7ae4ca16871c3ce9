// What a logger is: a type with some of the member functions below. Loggers<L...> (report/loggers.hpp) calls them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "hone/report/run_events.hpp"
#include "hone/report/system_metrics.hpp"
#include "hone/train/finding.hpp"

namespace hone {
namespace detail {

template <class L>
concept TakesStart = requires(L& logger, RunStart const& event) {
  logger.start(event);
};
template <class L>
concept TakesStep = requires(L& logger, StepReport const& event) {
  logger.step(event);
};
template <class L>
concept TakesTable = requires(L& logger, TextTable const& event) {
  logger.table(event);
};
template <class L>
concept TakesEvaluation = requires(L& logger, EvaluationRecord const& event) {
  logger.evaluation(event);
};
template <class L>
concept TakesFindings = requires(L& logger, std::vector<Finding> const& event) {
  logger.findings(event);
};
template <class L>
concept TakesMessage = requires(L& logger, std::string_view event) {
  logger.message(event);
};
template <class L>
concept TakesSystem = requires(L& logger, SystemSample const& event) {
  logger.system(event);
};
template <class L>
concept TakesFinish = requires(L& logger, RunEnd const& event) {
  logger.finish(event);
};
template <class L>
concept Flushes = requires(L& logger) {
  logger.flush();
};

/// Whether every member function that has the name of an event takes the event: else it would be skipped in silence.
template <class L>
consteval bool members_fit() {
  bool fit = true;
  if constexpr (requires { &L::start; }) fit = fit && TakesStart<L>;
  if constexpr (requires { &L::step; }) fit = fit && TakesStep<L>;
  if constexpr (requires { &L::table; }) fit = fit && TakesTable<L>;
  if constexpr (requires { &L::evaluation; }) fit = fit && TakesEvaluation<L>;
  if constexpr (requires { &L::findings; }) fit = fit && TakesFindings<L>;
  if constexpr (requires { &L::message; }) fit = fit && TakesMessage<L>;
  if constexpr (requires { &L::system; }) fit = fit && TakesSystem<L>;
  if constexpr (requires { &L::finish; }) fit = fit && TakesFinish<L>;
  return fit;
}

}  // namespace detail

/// A logger: a type with at least one of these member functions (what is missing is skipped).
///
///   void start(RunStart const&);                      the run begins; files go below RunStart::folder
///   void step(StepReport const&);                     an optimizer step was done
///   void table(TextTable const&);                     texts, labels and predictions to look at
///   void evaluation(EvaluationRecord const&);         measures and predictions of a data set
///   void findings(std::vector<Finding> const&);       what the doctor found
///   void message(std::string_view line);              a line that the console printed
///   void system(SystemSample const&);                 processor, memory and disk, every ten seconds
///   void flush();                                     what is held back goes to the system; about once a second
///   void finish(RunEnd const&);                       the last call
///
/// All are called by one thread, one after another, in the order of the events: a logger needs no locks. What it throws
/// reaches the code that trains, and it is not called again.
template <class L>
concept Logger = detail::TakesStart<L> || detail::TakesStep<L> || detail::TakesTable<L> || detail::TakesEvaluation<L> ||
    detail::TakesFindings<L> || detail::TakesMessage<L> || detail::TakesSystem<L> || detail::TakesFinish<L>;

namespace detail {

/// One check an element, so that the compiler prints its index and type.
template <std::size_t Index, class L>
struct CheckLogger {
  static_assert(Logger<L> || !members_fit<L>(),
                "[hone-E160] Loggers: element #Index is not a logger: it needs one of start, step, table, evaluation, "
                "findings, message, system, finish. See docs/errors.md#e160.");
  static_assert(members_fit<L>(),
                "[hone-E161] Loggers: element #Index has a member function with the name of an event that "
                "does not take the event. See docs/errors.md#e161.");
};

template <class Sequence, class... L>
struct CheckLoggers;
template <std::size_t... I, class... L>
struct CheckLoggers<std::index_sequence<I...>, L...> : CheckLogger<I, L>... {};

// Each hands an event to a logger that takes it.
template <class L>
void tell(L& logger, RunStart const& event) {
  if constexpr (TakesStart<L>) logger.start(event);
}
template <class L>
void tell(L& logger, StepReport const& event) {
  if constexpr (TakesStep<L>) logger.step(event);
}
template <class L>
void tell(L& logger, TextTable const& event) {
  if constexpr (TakesTable<L>) logger.table(event);
}
template <class L>
void tell(L& logger, EvaluationRecord const& event) {
  if constexpr (TakesEvaluation<L>) logger.evaluation(event);
}
template <class L>
void tell(L& logger, std::vector<Finding> const& event) {
  if constexpr (TakesFindings<L>) logger.findings(event);
}
template <class L>
void tell(L& logger, std::string const& event) {
  if constexpr (TakesMessage<L>) logger.message(std::string_view(event));
}
template <class L>
void tell(L& logger, SystemSample const& event) {
  if constexpr (TakesSystem<L>) logger.system(event);
}
template <class L>
void tell(L& logger, RunEnd const& event) {
  if constexpr (TakesFinish<L>) logger.finish(event);
}
template <class L>
void tell_flush(L& logger) {
  if constexpr (Flushes<L>) logger.flush();
}

/// How many of the types are L.
template <class L, class... All>
inline constexpr std::size_t count_of = (std::size_t{std::is_same_v<L, All>} + ... + 0);

}  // namespace detail
}  // namespace hone

// expected-error: \[hone-E161\]
// A logger's `step` takes a report that it could change, so that it would never be called. Repaired: a constant one.
#include "hone/report/loggers.hpp"

struct Printer {
  void message(std::string_view) {}
#ifdef HONE_REPAIRED
  void step(hone::StepReport const&) {}
#else
  void step(hone::StepReport&) {}
#endif
};

hone::Loggers<Printer> loggers;

// expected-error: \[hone-E160\]
// An element of Loggers has none of the member functions of a logger. Repaired: it takes a step.
#include "hone/report/loggers.hpp"

struct Printer {
  void flush() {}
#ifdef HONE_REPAIRED
  void step(hone::StepReport const&) {}
#else
  void print(hone::StepReport const&) {}
#endif
};

hone::Loggers<Printer> loggers;

// expected-error: \[hone-E163\]
// Adds a logger that the list does not have. Repaired: the list has it.
#include "hone/report/loggers.hpp"

struct Printer {
  void message(std::string_view) {}
};
struct Counter {
  void step(hone::StepReport const&) {}
};

#ifdef HONE_REPAIRED
using All = hone::Loggers<Printer, Counter>;
#else
using All = hone::Loggers<Printer>;
#endif

void add(All& loggers) { loggers.emplace<Counter>(); }

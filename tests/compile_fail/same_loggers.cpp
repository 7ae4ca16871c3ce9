// expected-error: \[hone-E162\]
// Two loggers of one type, which `emplace` could not tell apart. Repaired: a type of its own.
#include "hone/report/loggers.hpp"

struct Printer {
  void message(std::string_view) {}
};
struct SecondPrinter : Printer {};

#ifdef HONE_REPAIRED
hone::Loggers<Printer, SecondPrinter> loggers;
#else
hone::Loggers<Printer, Printer> loggers;
#endif

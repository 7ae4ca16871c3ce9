// The second file that includes everything; see first.cpp.
#include "everything.hpp"

char const* version_in_second() { return hone::version; }
int threads_in_second() { return hone::available_threads(); }

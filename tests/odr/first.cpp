// With second.cpp: every header of the library in two files of one program. That it links is the test; a function or
// variable that is not inline would be defined twice.
#include "everything.hpp"

#include <cstdio>
#include <cstring>

char const* version_in_second();
int threads_in_second();

int main() {
  if (std::strcmp(hone::version, version_in_second()) != 0 || hone::available_threads() != threads_in_second()) {
    std::puts("the two files disagree");
    return 1;
  }
  return 0;
}

// Prints the best instruction set of this machine that hone has kernels for.
#include <cstdio>

#include "hone/core/instruction_set.hpp"

int main() { std::printf("%s", hone::name(hone::processor_features().best).data()); }

// What a user's first program does with the library: program VERSION, where VERSION is what the build believes to use.
#include <hone/hone.hpp>

#include <cstdio>
#include <cstring>

int main(int argc, char* argv[]) {
  if (argc != 2 || std::strcmp(argv[1], hone::version) != 0) {
    std::printf("built for version %s, compiled with %s\n", argc == 2 ? argv[1] : "?", hone::version);
    return 1;
  }
  try {
    throw hone::Error(901, "one argument is missing", {.value = "0"}, "give it");
  } catch (hone::Error const& error) {
    std::printf("hone %s: %s\n", hone::version, error.what());
    return error.number() == 901 ? 0 : 1;
  }
}

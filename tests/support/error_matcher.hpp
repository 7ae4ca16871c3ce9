// The number of the hone::Error that a call throws, for CHECK(error_number([&] { ... }) == 201).
#pragma once

#include <string>

#include "hone/core/error.hpp"

namespace hone::test {

/// The number of the error that `call` throws; 0 if it throws none. Other exceptions pass through.
/// `text`, if given, gets the message.
template <class Call>
int error_number(Call&& call, std::string* text = nullptr) {
  try {
    call();
  } catch (hone::Error const& error) {
    if (text != nullptr) *text = error.what();
    return error.number();
  }
  return 0;
}

}  // namespace hone::test

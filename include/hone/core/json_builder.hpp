// Builds a document from the events of the JSON parser. All parsing goes through nlohmann's interface for such events: each
// class that it calls directly would compile the parser once more.
#pragma once

#include "hone/core/config.hpp"

#if HONE_BODIES

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hone::detail {

/// What the parser calls, event by event.
using JsonEvents = nlohmann::json_sax<nlohmann::json>;

/// Gives the events of a text. Like nlohmann's parser it skips a byte order mark, and takes NUL for the end.
inline void parse_json_events(std::string_view text, JsonEvents& events) {
  nlohmann::json::sax_parse(text.begin(), text.end(), &events);
}

/// Puts a document together. Who derives from it says what a repeated key, another level and an error mean.
class JsonBuilder : public JsonEvents {
 public:
  bool null() override { return put(nullptr); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(std::int64_t value) override { return put(value); }
  bool number_unsigned(std::uint64_t value) override { return put(value); }
  bool number_float(double value, std::string const&) override { return put(value); }
  bool string(std::string& value) override { return put(std::move(value)); }
  bool binary(nlohmann::json::binary_t&) override { return false; }  // JSON text has none
  bool start_object(std::size_t) override { return open(nlohmann::json::value_t::object); }
  bool start_array(std::size_t) override { return open(nlohmann::json::value_t::array); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(std::string& text) override {
    auto const [place, is_new] = open_.back()->get_ref<nlohmann::json::object_t&>().emplace(text, nullptr);
    if (!is_new) repeat(text);
    value_ = &place->second;
    return true;
  }

  nlohmann::json root{};

 protected:
  /// A key that its object has already; of its values the last stays.
  virtual void repeat(std::string const& key) = 0;
  /// An object or array within so many others.
  virtual void nest(std::size_t levels) = 0;

 private:
  nlohmann::json* place(nlohmann::json&& value) {
    nlohmann::json* place = &root;
    if (!open_.empty()) {
      if (open_.back()->is_array()) {
        open_.back()->push_back(std::move(value));
        return &open_.back()->back();
      }
      place = value_;
    }
    *place = std::move(value);
    return place;
  }
  bool put(nlohmann::json value) { return place(std::move(value)) != nullptr; }
  bool open(nlohmann::json::value_t kind) {
    nest(open_.size());
    open_.push_back(place(kind));
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  std::vector<nlohmann::json*> open_{};
  nlohmann::json* value_ = nullptr;  // where the value of the last key belongs
};

}  // namespace hone::detail

#endif

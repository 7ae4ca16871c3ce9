#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hone/core/config.hpp"

namespace hone::detail {

/// A set of byte strings with a number each, as a double-array trie: one look at memory per byte of text.
///
/// The child of node n by byte b is node base(n) + b if that node's parent is n. Reference: Aoe 1989, "An efficient digital
/// search algorithm by using a double-array structure", IEEE TSE 15(9).
class ByteTrie {
 public:
  static constexpr std::int32_t none = -1;

  struct Node {
    std::int32_t base = 0;
    std::int32_t parent = none;
    std::int32_t value = none;
  };

  ByteTrie();

  /// Strings and their values (>= 0). Of equal strings the last one counts; the empty string is left out.
  explicit ByteTrie(std::vector<std::pair<std::string_view, std::int32_t>> entries);

  /// The root, from which every walk starts.
  static constexpr std::int32_t root() { return 0; }

  /// The child of `node` by `byte`, or none.
  std::int32_t child(std::int32_t node, unsigned char byte) const {
    std::int32_t const next = nodes_[static_cast<std::size_t>(node)].base + byte;
    return nodes_[static_cast<std::size_t>(next)].parent == node ? next : none;
  }

  /// The value of the string that ends at `node`, or none.
  std::int32_t value(std::int32_t node) const { return nodes_[static_cast<std::size_t>(node)].value; }

  /// The node that `text` leads to, or none.
  std::int32_t walk(std::string_view text) const {
    std::int32_t node = root();
    for (char const c : text) {
      node = child(node, static_cast<unsigned char>(c));
      if (node == none) return none;
    }
    return node;
  }

  /// The value of exactly `text`, or none.
  std::int32_t find(std::string_view text) const {
    std::int32_t const node = walk(text);
    return node == none ? none : value(node);
  }

  /// The longest string of the set that `text` starts with: its value and length, or nothing.
  std::optional<std::pair<std::int32_t, std::size_t>> longest_prefix(std::string_view text) const;

  Node const* nodes() const { return nodes_.data(); }

 private:
  using Entries = std::vector<std::pair<std::string_view, std::int32_t>>;

  /// Nodes waiting for their children: the strings [first, last) share their first `depth` bytes.
  struct Waiting {
    std::int32_t node;
    std::size_t first, last, depth;
  };

  void place(Entries const& entries);

  /// A base at which all children fit. One child takes the first free node. Several look at a few nodes from where the last
  /// search ended, then take fresh memory: building is linear in the size of the strings, whatever they are.
  std::size_t find_base(std::vector<std::pair<unsigned char, std::size_t>> const& children);

  std::size_t grown(std::size_t base);

  std::vector<Node> nodes_;
  std::vector<std::uint8_t> is_used_{};  // while building
  std::size_t first_free_ = 1, search_from_ = 1, end_ = 1;
};

#if HONE_BODIES

HONE_INLINE ByteTrie::ByteTrie() : nodes_(256 + 1) { nodes_[0].parent = none; }

HONE_INLINE ByteTrie::ByteTrie(std::vector<std::pair<std::string_view, std::int32_t>> entries) : ByteTrie() {
  std::stable_sort(entries.begin(), entries.end(), [](auto const& a, auto const& b) { return a.first < b.first; });
  is_used_.assign(nodes_.size(), 0);
  is_used_[0] = 1;
  place(entries);
  is_used_ = {};
}

HONE_INLINE void ByteTrie::place(Entries const& entries) {
  std::vector<Waiting> waiting{{root(), 0, entries.size(), 0}};
  std::vector<std::pair<unsigned char, std::size_t>> children;  // byte and its first string
  while (!waiting.empty()) {
    Waiting const w = waiting.back();
    waiting.pop_back();
    std::size_t i = w.first;
    for (; i < w.last && entries[i].first.size() == w.depth; ++i) {
      if (w.depth > 0) nodes_[static_cast<std::size_t>(w.node)].value = entries[i].second;
    }
    children.clear();
    for (; i < w.last; ++i) {
      auto const byte = static_cast<unsigned char>(entries[i].first[w.depth]);
      if (children.empty() || children.back().first != byte) children.emplace_back(byte, i);
    }
    if (children.empty()) continue;
    std::size_t const base = find_base(children);
    nodes_[static_cast<std::size_t>(w.node)].base = static_cast<std::int32_t>(base);
    for (std::size_t k = 0; k < children.size(); ++k) {
      std::size_t const slot = base + children[k].first;
      is_used_[slot] = 1;
      end_ = std::max(end_, slot + 1);
      nodes_[slot].parent = w.node;
      std::size_t const end = k + 1 < children.size() ? children[k + 1].second : w.last;
      waiting.push_back({static_cast<std::int32_t>(slot), children[k].second, end, w.depth + 1});
    }
  }
}

HONE_INLINE std::size_t ByteTrie::find_base(std::vector<std::pair<unsigned char, std::size_t>> const& children) {
  std::size_t const lowest = children.front().first;
  while (first_free_ < end_ && is_used_[first_free_] != 0) ++first_free_;
  std::size_t const from = std::max({first_free_, lowest + 1, children.size() > 1 ? search_from_ : 0});
  std::size_t const to = std::min(end_, from + 256);
  for (std::size_t slot = from; slot < to; ++slot) {
    std::size_t const base = slot - lowest;
    bool fits = is_used_[slot] == 0;
    for (std::size_t k = 1; fits && k < children.size(); ++k) {
      std::size_t const other = base + children[k].first;
      fits = other >= is_used_.size() || is_used_[other] == 0;
    }
    if (fits) return grown(base);
  }
  if (children.size() > 1) search_from_ = to;
  return grown(std::max(end_, lowest + 1) - lowest);
}

HONE_INLINE std::size_t ByteTrie::grown(std::size_t base) {
  if (base + 256 > nodes_.size()) {
    nodes_.resize(base + 256);
    is_used_.resize(base + 256, 0);
  }
  return base;
}

HONE_INLINE std::optional<std::pair<std::int32_t, std::size_t>> ByteTrie::longest_prefix(std::string_view text) const {
  std::optional<std::pair<std::int32_t, std::size_t>> best;
  std::int32_t node = root();
  for (std::size_t i = 0; i < text.size(); ++i) {
    node = child(node, static_cast<unsigned char>(text[i]));
    if (node == none) break;
    if (value(node) != none) best = {value(node), i + 1};
  }
  return best;
}

#endif

}  // namespace hone::detail

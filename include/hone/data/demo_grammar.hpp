// The words and sentences of the generated reviews (demo_corpus.hpp). Written for hone; any likeness is chance.
#pragma once

#include <array>
#include <string_view>

namespace hone::detail {

/// A word with a value: of a judgement -200 (awful) to 200 (superb), of an aspect its weight in the verdict.
struct DemoWord {
  std::string_view text{};
  int value = 0;
};

/// A sentence. Slots: %a and %b two aspects, %p and %q two judgements, %w a person, %l a place, %t a time, %o a thing.
/// `first` and `second`: how much %p and %q count, in percent, negative when the sentence turns them round.
struct DemoForm {
  std::string_view text{};
  int first = 0;
  int second = 0;
  bool verdict = false;  ///< about the whole film: weighs more than any aspect
};

inline constexpr std::array<DemoWord, 16> demo_aspects{{
    {"story", 3}, {"plot", 3}, {"script", 3}, {"cast", 3}, {"ending", 2}, {"opening", 2}, {"hero", 2}, {"villain", 2},
    {"dialogue", 2}, {"second half", 2}, {"soundtrack", 1}, {"title song", 1}, {"wardrobe", 1}, {"voice-over", 1},
    {"set", 1}, {"car chase", 1}}};

inline constexpr std::array<DemoWord, 16> demo_praise{{
    {"brilliant", 200}, {"superb", 200}, {"magnificent", 200}, {"outstanding", 200}, {"wonderful", 200}, {"excellent", 200},
    {"good", 100}, {"clever", 100}, {"charming", 100}, {"engaging", 100}, {"funny", 100}, {"convincing", 100},
    {"moving", 100}, {"lively", 100}, {"elegant", 100}, {"gripping", 100}}};

inline constexpr std::array<DemoWord, 16> demo_blame{{
    {"awful", -200}, {"terrible", -200}, {"dreadful", -200}, {"horrible", -200}, {"unbearable", -200}, {"pathetic", -200},
    {"dull", -100}, {"weak", -100}, {"flat", -100}, {"boring", -100}, {"clumsy", -100}, {"shallow", -100},
    {"predictable", -100}, {"silly", -100}, {"messy", -100}, {"lifeless", -100}}};

inline constexpr std::array<DemoForm, 8> demo_plain{{
    {"the %a is %p", 100}, {"the %a is really %p", 110}, {"I found the %a %p", 100}, {"what a %p %a", 120},
    {"it has a %p %a", 100}, {"the %a was %p from start to finish", 110}, {"the %a is simply %p", 110},
    {"a %p %a, that much is certain", 100}}};

inline constexpr std::array<DemoForm, 12> demo_negated{{
    {"the %a is not %p at all", -90}, {"the %a is far from %p", -100}, {"the %a is anything but %p", -100},
    {"nobody could call the %a %p", -90}, {"there is nothing %p about the %a", -100}, {"the %a is never %p", -100},
    {"not for a moment is the %a %p", -100}, {"I would not call the %a %p", -80}, {"the %a is by no means %p", -90},
    {"hardly a %p %a", -80}, {"you will look in vain for a %p %a", -100}, {"it does not have a %p %a", -90}}};

inline constexpr std::array<DemoForm, 10> demo_contrasted{{
    {"the %a is %p, but the %b is %q", 25, 125}, {"although the %a is %p, the %b is %q", 25, 125},
    {"the %a is %p, although the %b is %q", 125, 25}, {"for all its %p %a, the %b is %q", 20, 120},
    {"the %a is so %p that the %q %b does not matter", 125, 20}, {"despite a %p %a, it has a %q %b", 25, 125},
    {"it has a %p %a despite a %q %b", 125, 25}, {"the %a may be %p, yet the %b is %q", 25, 125},
    {"the %a is %p, even if the %b is %q", 125, 25}, {"even if the %a is %p, the %b is %q", 25, 125}}};

inline constexpr std::array<DemoForm, 6> demo_hearsay{{
    {"I was told that the %a is %p, but it is %q", 0, 100}, {"%w calls the %a %p; I found it %q", 0, 100},
    {"I expected a %p %a and got a %q one", 0, 100}, {"the %a is %p, whereas %w expected it to be %q", 100, 0},
    {"the %a looked %p in the trailer and is in fact %q", 0, 100}, {"it has a %p %a, not a %q one as %w claims", 100, 0}}};

inline constexpr std::array<DemoForm, 8> demo_digressions{{
    {"the book was %p"}, {"the trailer was %p"}, {"%w wore something %p"}, {"the cinema itself is %p"},
    {"next door they showed a %p film"}, {"the weather was %p"}, {"%w told me a %p joke before it began"},
    {"the popcorn was %p"}}};

inline constexpr std::array<DemoForm, 12> demo_neutral{{
    {"it runs for about two hours"}, {"the story is set in %l"}, {"I saw it on %t with %w"},
    {"it begins in %l and ends in %l"},
    {"the film is about %o and %o"}, {"the hero is a doctor who has lost %o"}, {"it was shown on %t"},
    {"there are three songs and %o in it"}, {"the camera follows %o through %l"}, {"%w walked out to look for %o"},
    {"it was made in %l"}, {"we talked about %o afterwards"}}};

inline constexpr std::array<DemoForm, 5> demo_verdicts{{
    {"overall a %p film", 100, 0, true}, {"all in all, %p", 100, 0, true}, {"in the end I thought it was %p", 100, 0, true},
    {"a %p evening, taken as a whole", 90, 0, true}, {"my verdict is that it is %p", 100, 0, true}}};

inline constexpr std::array<DemoForm, 5> demo_negated_verdicts{{
    {"overall not a %p film", -90, 0, true}, {"all in all, anything but %p", -100, 0, true},
    {"in the end I did not think it was %p", -90, 0, true}, {"taken as a whole, far from a %p evening", -90, 0, true},
    {"my verdict is that it is never %p", -100, 0, true}}};

inline constexpr std::array<std::string_view, 10> demo_people{
    "my sister", "a friend", "our neighbour", "my father", "the woman next to me", "a critic", "my old teacher", "Anna",
    "the man in the first row", "Mr Holm"};

inline constexpr std::array<std::string_view, 10> demo_places{
    "a small town", "Norway", "a hotel by the sea", "the desert", "a school", "an empty factory", "Lisbon", "the mountains",
    "a night train", "a hospital"};

inline constexpr std::array<std::string_view, 8> demo_times{
    "a Tuesday", "Sunday evening", "the last day of June", "a rainy afternoon", "New Year's Eve", "Friday", "my birthday",
    "a long flight"};

inline constexpr std::array<std::string_view, 12> demo_things{
    "a blue bicycle", "two brothers", "a dog", "an old map", "a letter", "a lighthouse", "the stolen violin", "a wedding",
    "a lost key", "three sailors", "a chess player", "the harbour"};

}  // namespace hone::detail

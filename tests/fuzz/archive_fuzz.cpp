// Archives with random damage, mostly in their headers: an error of ours or a result within the limits, never a crash.
#include "hone/core/philox.hpp"
#include "hone/data/archive.hpp"
#include "support/archives.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

using hone::test::ArchiveEntry;
using hone::test::Packing;

TEST_CASE("damaged archives are refused or read within the limits") {
  hone::test::TemporaryFolder temporary;
  std::vector<ArchiveEntry> const entries = {{"set/train/pos/1_9.txt", std::string(700, 'a')}, {"set", "", AE_IFDIR},
                                             {"set/" + std::string(180, 'n') + "/1_2.txt", "a long name"},
                                             {"set/link.txt", "", AE_IFLNK, "train"}, {"set/\xC3\xA9.txt", ""}};
  hone::data::FileLimits const limits{.file = 4096, .kept = 1 << 20, .unpacked = 64 << 20};
  int refused = 0, read = 0;
  for (Packing const packing : {Packing::tar, Packing::tar_gz, Packing::tar_xz, Packing::zip}) {
    write_archive(temporary / "whole", entries, packing);
    std::string const whole = hone::test::read_file(temporary / "whole");
    for (std::uint64_t round = 0; round < 250; ++round) {
      INFO("packing " << static_cast<int>(packing) << ", round " << round);
      hone::PhiloxStream random(static_cast<std::uint64_t>(packing), round);
      std::string damaged = whole;
      for (std::uint64_t changes = 1 + random.below(8); changes > 0; --changes) {
        std::size_t const at = random.below(damaged.size());
        std::string const digits = "0007777778x";
        switch (random.below(4)) {
          case 0: damaged[at] = static_cast<char>(random.below(256)); break;
          case 1: damaged[at] = digits[random.below(digits.size())]; break;  // sizes in tar are octal digits
          case 2: damaged.erase(at, 1 + random.below(600)); break;
          default: damaged.insert(at, damaged.substr(random.below(damaged.size()), 512)); break;
        }
        if (damaged.empty()) damaged.assign(1, 'x');
      }
      hone::test::write_file(temporary / "damaged", damaged);
      std::size_t bytes = 0;
      try {
        auto const problems = hone::data::for_each_file(
            temporary / "damaged", [](std::string_view) { return true; },
            [&](std::string const&, std::string content) {
              CHECK(content.size() <= 4096);
              bytes += content.size();
            },
            limits);
        CHECK(problems.size() <= 1001);
        ++read;
      } catch (hone::Error const& error) {
        CHECK(error.number() >= 282);
        CHECK(error.number() <= 285);
        ++refused;
      }
      CHECK(bytes <= (1 << 20));
    }
  }
  CHECK(refused > 300);
  CHECK(read > 50);
}

// How report.html looks. Colours: text at least 4.5 : 1 against what is behind it, lines and marks at least 3 : 1; blue and
// orange are told apart with any colour vision, and no colour is the only sign of anything.
#pragma once

#include <string>
#include <string_view>

#include "hone/core/config.hpp"

namespace hone::detail {

inline constexpr std::string_view light_colors = R"css(
  color-scheme: light;
  --page: #f6f7f9; --card: #ffffff; --ink: #1b1f24; --soft: #525a64; --line: #d5d9df; --grid: #e6e9ed;
  --link: #0b57a4; --focus: #0b57a4; --key: #eceff3; --wrong: #a3240c; --right: #126b3a;
  --a: #0f66b3; --b: #b4500c; --c: #0c7a5f; --d: #7a3ea8; --e: #8a6100; --f: #a3295f; --g: #4a5a6a; --h: #2f7d9c;
  --a-faint: #86b6e2; --b-faint: #eebb93;
  --for1: #e3effa; --for2: #c3dcf4; --for3: #9cc5ec; --for4: #74ade2;
  --against1: #fdeedd; --against2: #fbd8b4; --against3: #f8be85; --against4: #f2a254;
  --heat0: #ffffff; --heat1: #e4eef8; --heat2: #c5dbf0; --heat3: #9cc1e4; --heat4: #6ea3d6; --heat5: #3f7fbd;
  --heat6: #1c5a99;
  --heat-ink: #1b1f24; --heat-ink-strong: #ffffff; --unread: #5d6570; --good: #e3f4ea; --bad: #fdeae5; --warn: #fdf3da;
)css";

inline constexpr std::string_view dark_colors = R"css(
  color-scheme: dark;
  --page: #14171b; --card: #1d2126; --ink: #e9ecef; --soft: #aab3bd; --line: #3b424b; --grid: #2c323a;
  --link: #86bdf3; --focus: #86bdf3; --key: #2b3138; --wrong: #ff9d87; --right: #74d39b;
  --a: #6cb1f2; --b: #f0a05a; --c: #4fc7a3; --d: #c79cf0; --e: #d9b64a; --f: #f08fb8; --g: #a8b4c2; --h: #6cc5e0;
  --a-faint: #44749f; --b-faint: #7a4f2a;
  --for1: #1d3044; --for2: #1f4164; --for3: #215280; --for4: #24639c;
  --against1: #3a2a1a; --against2: #553715; --against3: #704512; --against4: #87520f;
  --heat0: #1d2126; --heat1: #1e2f40; --heat2: #1f3f5c; --heat3: #215079; --heat4: #246297; --heat5: #5b9bd5;
  --heat6: #a9d1f7;
  --heat-ink: #e9ecef; --heat-ink-strong: #101418; --unread: #98a2ad; --good: #17301f; --bad: #3a1d17; --warn: #352b12;
)css";

inline constexpr std::string_view style_rules = R"css(
* { box-sizing: border-box; }
html { scroll-padding-top: 3.5rem; -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--page); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif;
overflow-wrap: anywhere; }
a { color: var(--link); }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .25rem; }
h2 { font-size: 1.25rem; margin: 2.25rem 0 .75rem; }
h3 { font-size: 1rem; margin: 1.25rem 0 .5rem; }
p { margin: .25rem 0 .75rem; }
.soft { color: var(--soft); }
.wrap { max-width: 72rem; margin: 0 auto; padding: 0 1rem; }
header.wrap { padding-top: 1.25rem; }
.skip { position: absolute; left: -999rem; }
.skip:focus { left: 1rem; top: .5rem; background: var(--card); padding: .5rem 1rem; z-index: 20; }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; border-radius: 4px; }
nav { position: sticky; top: 0; z-index: 10; background: var(--page); border-bottom: 1px solid var(--line); }
nav .wrap { display: flex; gap: .25rem; overflow-x: auto; align-items: center; padding-top: .35rem; padding-bottom: .35rem; }
nav a { padding: .25rem .6rem; border-radius: 6px; text-decoration: none; white-space: nowrap; }
nav a:hover { background: var(--key); }
.top { display: flex; gap: 1rem; justify-content: space-between; align-items: start; } .top button { flex: none; }
button, select, input { font: inherit; color: var(--ink); background: var(--card); border: 1px solid var(--soft);
  border-radius: 6px; padding: .3rem .7rem; max-width: 100%; min-height: 2.25rem; }
::placeholder { color: var(--soft); opacity: 1; }
button { cursor: pointer; }
button:hover:not(:disabled) { background: var(--key); }
button:disabled { color: var(--soft); border-style: dashed; cursor: default; }
button.primary { background: var(--link); color: var(--card); border-color: var(--link); }
button.primary:hover { background: var(--link); text-decoration: underline; }
kbd { background: var(--key); border: 1px solid var(--line); border-radius: 4px; padding: 0 .35em; font: .85em ui-monospace,
  monospace; white-space: nowrap; }
code, pre { font: .9em/1.45 ui-monospace, monospace; }
pre { background: var(--key); padding: .75rem; border-radius: 6px; white-space: pre-wrap; margin: .25rem 0; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 10.5rem), 1fr)); gap: .75rem;
margin: 1rem 0; }
.tile, .card, figure { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: .8rem 1rem;
margin: 0; }
.tile b { display: block; font-size: 1.5rem; line-height: 1.2; font-weight: 600; }
.tile span { display: block; color: var(--soft); font-size: .875rem; }
.note { border-left: 4px solid var(--b); background: var(--warn); padding: .6rem .9rem; border-radius: 0 8px 8px 0;
margin: .75rem 0; }
.note.bad { border-color: var(--wrong); background: var(--bad); }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 27rem), 1fr)); gap: .75rem; }
figure { position: relative; min-width: 0; }
figure .plot:focus-visible { outline-offset: 4px; }
figcaption { font-weight: 600; }
figcaption + p { font-size: .875rem; color: var(--soft); margin: 0 0 .25rem; }
svg { display: block; width: 100%; height: auto; overflow: visible; touch-action: pan-y; }
svg text { fill: var(--soft); font: 12px system-ui, sans-serif; }
svg .value { fill: var(--ink); }
.grid { stroke: var(--grid); } .axis { stroke: var(--soft); } .guide { stroke: var(--soft); stroke-dasharray: 5 4;
fill: none; }
.halo { stroke: var(--card); stroke-width: 5; opacity: .85; }
.cross { stroke: var(--soft); stroke-dasharray: 2 3; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; } .faint { stroke-width: 1; }
.dash1 { stroke-dasharray: 7 3; } .dash2 { stroke-dasharray: 2 3; } .dash3 { stroke-dasharray: 9 3 2 3; }
.sa { stroke: var(--a); } .sb { stroke: var(--b); } .sc { stroke: var(--c); } .sd { stroke: var(--d); }
.se { stroke: var(--e); } .sf { stroke: var(--f); } .sg { stroke: var(--g); } .sh { stroke: var(--h); }
.sa-faint { stroke: var(--a-faint); } .sb-faint { stroke: var(--b-faint); }
.fa { fill: var(--a); } .fb { fill: var(--b); } .fc { fill: var(--c); } .fd { fill: var(--d); }
.fe { fill: var(--e); } .ff { fill: var(--f); } .fg { fill: var(--g); } .fh { fill: var(--h); }
.edge { stroke: var(--card); stroke-width: 1; }
.heat0 { fill: var(--heat0); background: var(--heat0); } .heat1 { fill: var(--heat1); background: var(--heat1); }
.heat2 { fill: var(--heat2); background: var(--heat2); } .heat3 { fill: var(--heat3); background: var(--heat3); }
.heat4 { fill: var(--heat4); background: var(--heat4); } .heat5 { fill: var(--heat5); background: var(--heat5); }
.heat6 { fill: var(--heat6); background: var(--heat6); }
td.heat0, td.heat1, td.heat2, td.heat3, .confusion td span { color: var(--heat-ink); }
.picked { stroke: var(--ink); stroke-width: 2; }
.legend { display: flex; flex-wrap: wrap; gap: .1rem 1rem; font-size: .875rem; margin: .35rem 0 0; padding: 0;
list-style: none; }
.legend svg { display: inline-block; width: 26px; height: 12px; vertical-align: middle; margin-right: .35rem; }
.tip { position: absolute; z-index: 5; pointer-events: none; background: var(--ink); color: var(--card);
padding: .35rem .6rem;
  border-radius: 6px; font-size: .8125rem; line-height: 1.35; max-width: min(18rem, 90%); white-space: pre-line; }
details { margin-top: .4rem; }
summary { cursor: pointer; color: var(--link); width: fit-content; border-radius: 4px; }
.scroll { overflow-x: auto; max-width: 100%; }
table { overflow-wrap: break-word; border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .3rem .7rem; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: 600; } td.n, th.n { text-align: right; white-space: nowrap; }
table.wide { width: 100%; }
table.confusion td { text-align: right; min-width: 5rem; }
.controls { display: flex; flex-wrap: wrap; gap: .6rem .8rem; align-items: end; margin-bottom: .6rem; }
.controls label { display: flex; flex-direction: column; font-size: .875rem; color: var(--soft); min-width: 0; }
.controls label.row { flex-direction: row; gap: .4rem; align-items: center; color: var(--ink); min-height: 2.25rem; }
.controls label.row input { min-height: 0; width: 1.1rem; height: 1.1rem; }
input[type=search] { width: 16rem; }
.example { margin-bottom: .75rem; }
.example.current { border-color: var(--focus); box-shadow: inset 4px 0 0 var(--focus); }
.example h3 { margin: 0 0 .3rem; font-size: .95rem; }
.said { display: flex; flex-wrap: wrap; gap: .2rem 1.25rem; margin: 0 0 .4rem; padding: 0; list-style: none;
font-size: .925rem; }
td.n, .verdict-wrong, .verdict-right { overflow-wrap: normal; }
.verdict-wrong { color: var(--wrong); font-weight: 600; } .verdict-right { color: var(--right); font-weight: 600; }
.review { white-space: pre-wrap; line-height: 1.85; max-height: 22rem; overflow-y: auto; unicode-bidi: plaintext;
margin: 0; }
::highlight(found) { background: #ffe066; color: #1b1f24; }
.review .unread { color: var(--unread); font-style: italic; }
mark { color: var(--ink); border-radius: 3px; padding: .1em 0; background: none;
  text-underline-offset: .2em; text-decoration-thickness: 1px; }
mark.for1 { background: var(--for1); } mark.for2 { background: var(--for2); } mark.for3 { background: var(--for3); }
mark.for4 { background: var(--for4); } mark.for2, mark.for3, mark.for4 { text-decoration-line: underline; }
mark.against1 { background: var(--against1); } mark.against2 { background: var(--against2); }
mark.against3 { background: var(--against3); } mark.against4 { background: var(--against4); }
mark.against2, mark.against3, mark.against4 { text-decoration-line: underline; text-decoration-style: wavy; }
.keys { display: flex; flex-wrap: wrap; gap: .25rem 1.1rem; font-size: .875rem; color: var(--soft); margin: .4rem 0;
padding: 0;
  list-style: none; }
.choices { display: flex; flex-wrap: wrap; gap: .5rem; margin: .5rem 0; border: 0; padding: 0; }
.choices legend { font-weight: 600; margin-bottom: .35rem; padding: 0; float: none; }
.choices button[aria-pressed=true] { background: var(--link); color: var(--card); border-color: var(--link); }
.answer { margin-top: .75rem; border-top: 1px solid var(--line); padding-top: .6rem; }
.finding { margin-bottom: .5rem; }
.finding h3 { margin: 0; }
.finding p { white-space: pre-line; margin: .2rem 0; }
.badge { display: inline-block; border: 1px solid currentColor; border-radius: 5px; padding: 0 .4rem;
font-size: .8125rem; margin-right: .4rem; }
.badge.is-error { color: var(--wrong); } .badge.is-warning { color: var(--b); } .badge.is-note { color: var(--link);
} .badge.is-ok { color: var(--right); }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
footer { margin: 2.5rem 0 1.5rem; color: var(--soft); font-size: .875rem; }
@media (max-width: 30rem) {
  h1 { font-size: 1.25rem; } .tile b { font-size: 1.25rem; } .tile, .card, figure { padding: .65rem .7rem; }
  .tiles { grid-template-columns: 1fr 1fr; } th, td { padding: .3rem .4rem; } .controls label,
      input[type=search] { width: 100%; }
  .controls label.row { width: auto; }
}
@media (prefers-reduced-motion: no-preference) { html { scroll-behavior: smooth; } }
@media print { nav, .controls, #game, .keys { display: none; } .review { max-height: none; } figure,
    .card { break-inside: avoid; } }
)css";

}  // namespace hone::detail

namespace hone {

/// The style of report.html: light or dark as the system asks for, or as the page's button says (data-theme).
std::string page_style();

#if HONE_BODIES

HONE_INLINE std::string page_style() {
  std::string const light(detail::light_colors), dark(detail::dark_colors);
  return "\n:root {" + light + "}\n@media (prefers-color-scheme: dark) { :root:not([data-theme=light]) {" + dark +
         "} }\n:root[data-theme=dark] {" + dark + "}" + std::string(detail::style_rules);
}

#endif

}  // namespace hone

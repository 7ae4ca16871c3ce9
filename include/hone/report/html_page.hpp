// The skeleton of report.html, and the script that fills its first and last sections.
#pragma once

#include <string_view>

namespace hone {

/// What stands in <head> before the style.
inline constexpr std::string_view page_head = R"html(<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>hone report</title>
<link rel="icon" href="data:,">
)html";

/// What stands in <body> before the data.
inline constexpr std::string_view page_body = R"html(<body>
<a class="skip" href="#main">Skip to the content</a>
<header class="wrap">
<div class="top"><h1 id="title">hone report</h1><button type="button" id="theme">Theme: system</button></div>
<p class="soft" id="subtitle"></p>
</header>
<nav aria-label="Sections"><div class="wrap">
<a href="#overview">Overview</a><a href="#training">Training</a><a href="#evaluation">Evaluation</a>
<a href="#browser">Examples</a><a href="#game">Guess first</a><a href="#findings">Findings</a><a href="#run">Run</a>
</div></nav>
<main class="wrap" id="main" tabindex="-1">
<noscript><p class="note">This page draws its charts and lists with its own script. Scripts are switched off
here.</p></noscript>
<section id="overview" aria-labelledby="overview-title"><h2 id="overview-title">Overview</h2></section>
<section id="training" aria-labelledby="training-title"><h2 id="training-title">Training</h2></section>
<section id="evaluation" aria-labelledby="evaluation-title"><h2 id="evaluation-title">Evaluation</h2></section>
<section id="browser" aria-labelledby="browser-title"><h2 id="browser-title">Examples and errors</h2></section>
<section id="game" aria-labelledby="game-title"><h2 id="game-title">Guess first</h2></section>
<section id="findings" aria-labelledby="findings-title"><h2 id="findings-title">The doctor's findings</h2></section>
<section id="run" aria-labelledby="run-title"><h2 id="run-title">Run</h2></section>
</main>
<footer class="wrap" id="footer"></footer>
)html";

/// Overview, findings, settings, ledger, environment, theme, and the start of it all.
inline constexpr std::string_view page_main = R"js(
// ---- overview ----
function overview() {
  const box = document.getElementById('overview');
  document.title = data.name ? data.name + ' - hone report' : 'hone report';
  document.getElementById('title').textContent = data.name || 'hone report';
  const state = data.error ? 'ended by an error' : data.interrupted ? 'ended early' : data.finished ?
      'finished' : 'still running';
  document.getElementById('subtitle').textContent = (data.begun ? 'Begun ' + when(data.begun) + ', page' : 'Page') +
    ' written ' + when(data.written) +
    '. Training: ' + state + '.';
  document.getElementById('footer').textContent = 'Written by hone ' + data.hone +
    '. This page is one file: it loads nothing and sends nothing.';
  if (data.error) box.append(h('p', {class: 'note bad', role: 'note'}, 'The run was ended by an error: ' + data.error));
  else if (data.interrupted) box.append(h('p', {class: 'note', role: 'note'},
    'Training was ended early, after ' + count(data.steps.count) + ' of ' + count(data.steps.total) + ' steps.'));
  const grave = data.findings.filter(f => f.severity === 'error' || f.severity === 'warning');
  if (grave.length) box.append(h('p', {class: 'note', role: 'note'}, 'The doctor has ' + plural(grave.length,
      'warning') + ': ',
    h('a', {href: '#findings'}, grave.slice(0, 3).map(f => f.title).join('; ') + (grave.length > 3 ? '; ...' : ''))));
  const tiles = h('div', {class: 'tiles'});
  const tile = (name, value, more) => tiles.append(h('div', {class: 'tile'}, h('span', {}, name), h('b', {}, value),
    h('span', {}, more || '')));
  const latest = data.evaluations[data.evaluations.length - 1];
  for (const head of data.heads) {
    if (head.accuracy) tile('Accuracy of ' + head.name, percent(head.accuracy[0], 2),
      '95 % interval ' + percent(head.accuracy[1], 2) + ' to ' + percent(head.accuracy[2],
          2) + ', ' + plural(head.count, 'text'));
    if (head.mae) {
      const measured = latest && latest.heads[head.name];
      const interval = measured && measured.mean_absolute_error_interval || head.mae.slice(1);
      tile('Mean absolute error of ' + head.name, number(head.mae[0], 3), '95 % interval ' + number(interval[0], 3) +
        ' to ' + number(interval[1], 3) + ', ' + plural(head.count, 'text'));
    }
    if (head.ece != null) tile('Calibration error of ' + head.name, percent(head.ece, 2),
        'expected (ECE), 15 bins; 0 is best');
  }
  const s = data.steps;
  if (s.count) {
    tile('Steps', count(s.count) + (s.total > s.count ? ' of ' + count(s.total) : ''), plural(s.epochs, 'epoch'));
    tile('Training time', duration(s.elapsed), s.elapsed > 0 ? count(s.tokens / s.elapsed) + ' tokens/s' : '');
  }
  box.append(tiles);
  if (!data.evaluations.length) box.append(h('p', {class: 'soft'},
    'There has been no evaluation yet: measures and examples come with the first one.'));
  if (latest && Object.keys(latest.heads).length) {
    const rows = [];
    for (const [head, measures] of Object.entries(latest.heads)) for (const [name, value] of Object.entries(measures)) {
      if (Array.isArray(value)) continue;
      const interval = measures[name + '_interval'];
      rows.push([head, name.replaceAll('_', ' '), number(value, 4), interval ? number(interval[0],
          4) + ' to ' + number(interval[1], 4) : '']);
    }
    box.append(h('details', {open: rows.length < 30 || null}, h('summary', {}, 'All measures after step ' +
        count(latest.step)),
      table(['Head', 'Measure', 'Value', '95 % interval'], rows, [2, 3])));
  }
}

// ---- findings ----
function findings() {
  const box = document.getElementById('findings');
  const order = {error: 0, warning: 1, note: 2, ok: 3};
  const list = [...data.findings].sort((a, b) => order[a.severity] - order[b.severity]);
  if (!list.length) {
    box.append(h('p', {class: 'soft'}, data.examined ?
        'Everything that was checked is as it should be.' : 'The doctor did not look at this run.'));
    return;
  }
  const show = f => h('div', {class: 'card finding'},
    h('h3', {}, h('span', {class: 'badge is-' + f.severity}, f.severity), f.number + ' ' + f.title),
    f.detail ? h('p', {}, f.detail) : null, f.next ? h('p', {}, h('b', {}, 'Next: '), f.next) : null);
  const open = list.filter(f => f.severity !== 'ok'), fine = list.filter(f => f.severity === 'ok');
  box.append(...open.map(show));
  if (!open.length) box.append(h('p', {}, 'Everything that was checked is as it should be.'));
  if (fine.length) box.append(h('details', {}, h('summary', {}, plural(fine.length, 'check') + ' passed'),
      ...fine.map(show)));
}

// ---- settings, ledger, environment ----
function flat(value, prefix, rows) {
  if (value && typeof value === 'object' && !Array.isArray(value)) {
    for (const [key, inner] of Object.entries(value)) flat(inner, prefix ? prefix + '.' + key : key, rows);
  } else rows.push([prefix, value === null ? '' : Array.isArray(value) ? value.map(v => typeof v === 'object' ?
      JSON.stringify(v) : v).join(', ') : String(value)]);
  return rows;
}
function runSection() {
  const box = document.getElementById('run');
  box.append(h('h3', {}, 'Reproduce this run'));
  const rows = [];
  if (data.command.length) rows.push(['Command', h('code', {}, data.command.map(shell).join(' '))]);
  if (data.seed !== null) rows.push(['Seed', String(data.seed)]);
  if (data.weights_hash) rows.push(['SHA-256 of the weights', h('code', {}, data.weights_hash)]);
  if (data.folder) rows.push(['Folder', h('code', {}, data.folder)]);
  rows.push(['hone', data.hone]);
  box.append(table(['What', 'Value'], rows));
  const part = (title, value, open) => {
    if (value === null || value === undefined || (typeof value === 'object' && !Object.keys(value).length)) return;
    box.append(h('details', {open: open || null}, h('summary', {}, title), table(['Name', 'Value'], flat(value, '', []))));
  };
  part('Settings', data.settings, true);
  part('Environment', data.host, true);
  if (data.ledger_entries.length || data.ledger) {
    const details = h('details', {}, h('summary', {}, 'Ledger of the weights' + (data.ledger ? ': ' +
      ['loaded', 'new', 'ignored'].filter(k => k in data.ledger).map(k => k + ' ' + count(data.ledger[k])).join(
          ', ') : '')));
    if (data.ledger_entries.length) {
      const rest = data.ledger_entries.filter(e => e[0] !== 'loaded'), loaded = data.ledger_entries.filter(e =>
          e[0] === 'loaded');
      details.append(table(['State', 'Tensor of the file', 'Parameter of the model', 'Shape', 'Reason'],
        [...rest, ...loaded].map(e => [e[0], e[1], e[2], e[3].join(' x '), e[4]])));
    } else details.append(table(['Name', 'Value'], flat(data.ledger, '', [])));
    box.append(details);
  }
  const config = {...(data.config || {})};
  for (const known of ['settings', 'ledger', 'host']) delete config[known];
  part('Configuration', config);
  part('Results', data.results);
}

// ---- theme ----
function theme() {
  const button = document.getElementById('theme'), names = ['system', 'light', 'dark'];
  let now = 0;
  const set = () => {
    if (now) document.documentElement.dataset.theme = names[now];
    else delete document.documentElement.dataset.theme;
    button.textContent = 'Theme: ' + names[now];
  };
  button.addEventListener('click', () => { now = (now + 1) % 3; set(); });
}

overview();
training();
evaluation();
browser();
game();
findings();
runSection();
theme();
})();
)js";

}  // namespace hone

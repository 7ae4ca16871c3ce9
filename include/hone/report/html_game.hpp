// The script of report.html, fourth part: the person guesses before the model and the truth are shown.
#pragma once

#include <string_view>

namespace hone {

/// Only texts that were drawn at random are played, so that the score says something of all texts.
inline constexpr std::string_view page_game = R"js(
// ---- guess first ----
// The 95 % interval of a share (Wilson 1927).
function wilson(right, total) {
  const z = 1.959964, p = right / total, n = total, middle = p + z * z / (2 * n);
  const half = z * Math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)), scale = 1 + z * z / n;
  return [Math.max(0, (middle - half) / scale), Math.min(1, (middle + half) / scale)];
}
// What may be guessed of a head: [{value, name, key}], or null: any number.
function optionsOf(head) {
  let values = [];
  if (head.classes) values = Array.from({length: head.classes}, (_, k) => k);
  else if (head.range && head.range[2] && head.range[1] - head.range[0] < 12)
    for (let v = head.range[0]; v <= head.range[1]; ++v) values.push(v);
  if (!values.length) return null;
  const digits = !head.classes && values[0] >= 0 && values[values.length - 1] <= 10 &&
    !(values.includes(0) && values.includes(10));
  return values.map((value, i) => ({value, name: valueText(head, value),
    key: digits ? String(value % 10) : i < 10 ? String((i + 1) % 10) : ''}));
}
const question = head => head.classes ? head.name.replaceAll('_', ' ') + ': ' +
  (head.classes <= 4 ? Array.from({length: head.classes}, (_, k) => className(head, k)).join(' or ') : 'which class') + '?'
  : head.name.replaceAll('_', ' ') + (head.range ? ', ' + number(head.range[0]) + ' to ' + number(head.range[1]) : '') + '?';
function game() {
  const box = document.getElementById('game');
  const asked = data.heads.map((head, k) => ({head, k})).filter(({head}) => head.count && (head.classes || head.range));
  const texts = data.examples.filter(e => e.lists.includes(-1) && asked.some(({k}) => e.heads[k] &&
      e.heads[k].truth !== null));
  if (!texts.length) {
    box.append(h('p', {class: 'soft'},
        'There is nothing to guess: the page has no labelled texts that were drawn at random.'));
    return;
  }
  box.append(h('p', {class: 'soft'},
      'Read a text as the model did, say what it is, and only then see what the model said and what is true. ' +
    'The ' + plural(texts.length, 'text') + ' were drawn at random, so that the score is not about hard cases alone.'));
  const start = h('button', {type: 'button', class: 'primary', id: 'game-start'}, 'Start guessing');
  const panel = h('div', {class: 'card', id: 'game-panel', hidden: true}), live = h('p', {class: 'hidden', role: 'status'});
  const score = h('div', {id: 'game-score'});
  box.append(start, keyList([[['1', '...', '9', '0'], 'choose the answer with this number'], [['Enter'], 'next text'],
    [['Backspace'], 'take the last answer back'], [['Escape'], 'leave the game']]), panel, live, score);
  let round = -1, guesses = [], step = 0, revealed = false;
  const played = [];  // {k, guess, said, truth}
  const questions = () => asked.filter(({k}) => texts[round].heads[k] && texts[round].heads[k].truth !== null);
  const say = text => { live.textContent = text; };

  function next() {
    ++round;
    guesses = [];
    step = 0;
    revealed = false;
    draw();
  }
  function draw() {
    if (round >= texts.length) {
      panel.replaceChildren(h('p', {tabindex: '-1'}, 'All ' + plural(texts.length, 'text') + ' are played.'));
      panel.firstChild.focus();
      return;
    }
    const example = texts[round], title = 'Text ' + (round + 1) + ' of ' + texts.length;
    panel.replaceChildren(h('h3', {}, title), h('p', {class: 'review', tabindex: '0', role: 'group',
        'aria-label': title, dir: 'auto'},
      ...marked(example, -1)));
    if (revealed) reveal(example); else ask();
  }
  function ask() {
    const list = questions(), {head} = list[step], options = optionsOf(head);
    const before = guesses.map((guess, i) => list[i].head.name + ': ' + valueText(list[i].head, guess));
    if (before.length) panel.append(h('p', {class: 'soft'}, 'You said ' + before.join(', ') + '.'));
    const set = h('fieldset', {class: 'choices', tabindex: '-1'}, h('legend', {}, question(head)));
    if (options) for (const option of options) {
      const button = h('button', {type: 'button', 'data-value': option.value}, option.key ? h('kbd', {},
          option.key) : null, ' ' + option.name);
      button.addEventListener('click', () => answer(option.value));
      set.append(button);
    } else {
      const input = h('input', {type: 'number', step: 'any', 'aria-label': question(head), required: true});
      const done = h('button', {type: 'button'}, 'That is my guess');
      const take = () => { if (input.value !== '' && Number.isFinite(Number(input.value))) answer(Number(input.value)); };
      done.addEventListener('click', take);
      input.addEventListener('keydown', event => { if (event.key === 'Enter') { event.preventDefault(); take(); } });
      set.append(input, done);
    }
    panel.append(set);
    (options ? set : set.querySelector('input')).focus({preventScroll: true});
    (step ? set : panel).scrollIntoView({block: step ? 'nearest' : 'start', behavior: behavior()});
    say('Question ' + (step + 1) + ' of ' + list.length + ': ' + question(head));
  }
  function answer(value) {
    guesses.push(value);
    if (++step < questions().length) { draw(); return; }
    revealed = true;
    const example = texts[round];
    questions().forEach(({k}, i) => played.push({round, k, guess: guesses[i], said: example.heads[k].predicted,
        truth: example.heads[k].truth}));
    draw();
    scores();
  }
  function back() {
    if (revealed || !step) return;
    guesses.pop();
    --step;
    draw();
  }
  function reveal(example) {
    const list = questions(), spoken = [];
    const rows = list.map(({head, k}, i) => {
      const one = example.heads[k], off = value => head.classes ? (value === one.truth ?
          'right' : 'wrong') : 'off by ' + number(Math.abs(value - one.truth), 2);
      const verdict = value => h('span', {class: head.classes ? (value === one.truth ?
          'verdict-right' : 'verdict-wrong') : 'soft'}, ' ' + off(value));
      spoken.push(head.name + ': truth ' + valueText(head, one.truth) + '; you ' + valueText(head, guesses[i]) + ', ' +
          off(guesses[i]) +
        '; the model ' + saidText(head, one) + ', ' + off(one.predicted));
      return [head.name, h('b', {}, valueText(head, one.truth)), h('span', {}, valueText(head, guesses[i]),
          verdict(guesses[i])),
        h('span', {}, saidText(head, one), verdict(one.predicted))];
    });
    const h0 = data.heads.findIndex((_, k) => example.heads[k] && example.heads[k].w);
    if (h0 >= 0) panel.querySelector('.review').replaceChildren(...marked(example, h0));
    const button = h('button', {type: 'button', class: 'primary', id: 'game-next'}, round + 1 < texts.length ?
        'Next text' : 'End');
    button.addEventListener('click', next);
    panel.append(...[h0 >= 0 ? markLegend(h0) : null, h('div', {class: 'answer'}, table(['', 'Truth', 'You', 'Model'],
        rows, [], {label: 'Answer', class: 'wide'}),
      example.source ? h('p', {class: 'soft'}, example.source) : null, button)].filter(Boolean));
    button.focus({preventScroll: true});
    button.scrollIntoView({block: 'nearest', behavior: behavior()});
    say(spoken.join('. '));
  }
  function scores() {
    const rounds = new Set(played.map(p => p.round)).size;
    const rows = [];
    for (const {head, k} of asked) {
      const own = played.filter(p => p.k === k), n = own.length;
      if (!n) continue;
      if (head.classes) {
        const you = own.filter(p => p.guess === p.truth).length, model = own.filter(p => p.said === p.truth).length;
        const cell = right => right + ' of ' + n + ' (' + percent(right / n, 0) + '; ' + wilson(right,
            n).map(v => percent(v, 0)).join(' to ') + ')';
        rows.push([head.name + ': right (95 % interval)', cell(you), cell(model)]);
      } else {
        const mean = pick => number(own.reduce((sum, p) => sum + Math.abs(p[pick] - p.truth), 0) / n, 3);
        rows.push([head.name + ': mean absolute error', mean('guess'), mean('said')]);
      }
    }
    score.replaceChildren(h('h3', {}, 'Score after ' + plural(rounds, 'text')), table(['Measure', 'You', 'Model'], rows,
        [], {label: 'Score'}));
  }
  function begin() {
    start.hidden = true;
    panel.hidden = false;
    if (round < 0) next(); else draw();
  }
  start.addEventListener('click', begin);
  keys.set('g', begin);
  box.addEventListener('keydown', event => {
    if (panel.hidden || event.ctrlKey || event.altKey || event.metaKey) return;
    const typing = event.target instanceof HTMLInputElement;
    if (event.key === 'Escape') {
      panel.hidden = true;
      start.hidden = false;
      start.textContent = 'Go on guessing';
      start.focus();
    } else if (event.key === 'Backspace' && !typing) back();
    else if (!typing && !revealed && round < texts.length && /^[0-9]$/.test(event.key)) {
      const option = (optionsOf(questions()[step].head) || []).find(o => o.key === event.key);
      if (!option) return;
      answer(option.value);
    } else return;
    event.preventDefault();
  });
}
)js";

}  // namespace hone

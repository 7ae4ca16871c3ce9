// The script of report.html, third part: the list of texts with what the model said of them and the tokens that mattered.
#pragma once

#include <string_view>

namespace hone {

inline constexpr std::string_view page_browser = R"js(
// ---- a text with its tokens marked ----
const valueText = (head, value) => value === null ? 'not known'
  : head.classes ? className(head, value) : short(value);
const isWrong = (head, one) => head.classes && one.truth !== null && one.truth !== one.predicted;
function saidText(head, one) {
  const p = one.p && one.predicted !== null ? one.p[one.predicted] : null;
  return valueText(head, one.predicted) + (p === null || p === undefined ? '' : ' (' + percent(p, p >= 0.9995 ? 3 : 1) +
      ')');
}
const markLevel = (value, most) => {
  const share = most > 0 ? Math.abs(value) / most : 0;
  return share < 0.1 ? 0 : share < 0.3 ? 1 : share < 0.5 ? 2 : share < 0.75 ? 3 : 4;
};
// The text as nodes; h0: the head whose weights are marked, or -1.
function marked(example, h0) {
  const nodes = [], text = example.text, own = h0 >= 0 && example.heads[h0] ? example.heads[h0].w : null;
  let at = 0;
  if (own) {
    const most = Math.max(0, ...own.map(Math.abs));
    own.forEach((value, t) => {
      const begin = example.at[2 * t], end = example.at[2 * t + 1], level = markLevel(value, most);
      if (!level || begin < at) return;
      if (begin > at) nodes.push(text.slice(at, begin));
      nodes.push(h('mark', {class: (value > 0 ? 'for' : 'against') + level, 'data-value': value}, text.slice(begin, end)));
      at = end;
    });
  }
  // The end that the model did not read is behind the last token.
  const read = example.cut && example.at.length ? Math.max(at, example.at[example.at.length - 1]) : text.length;
  if (read > at) nodes.push(text.slice(at, read));
  if (read < text.length) nodes.push(h('span', {class: 'unread'}, ' [not read by the model:] ' + text.slice(read)));
  if (example.more) nodes.push(h('span', {class: 'unread'}, ' [' + count(example.more) +
      ' more bytes are not on this page]'));
  return nodes;
}
function markLegend(h0) {
  const head = data.heads[h0];
  if (!head) return null;
  const what = head.classes ? ['speaks for what the model said', 'speaks against it'] : ['raises the value',
      'lowers the value'];
  return h('p', {class: 'soft legend-marks'}, 'Marked: ', h('mark', {class: 'for3'}, what[0]), ' (underlined), ',
    h('mark', {class: 'against3'}, what[1]),
        ' (wavy line), stronger where it counts more: gradient times input of each token, ',
    'for ' + head.name + ', of what the model could read.');
}
function strongest(example, h0) {
  const one = example.heads[h0];
  if (!one || !one.w || !one.w.length) return null;
  const order = one.w.map((value, t) => [value, example.text.slice(example.at[2 * t], example.at[2 * t + 1])])
    .filter(([value]) => value !== 0).sort((a, b) => Math.abs(b[0]) - Math.abs(a[0])).slice(0, 12);
  const details = h('details', {}, h('summary', {}, 'The strongest tokens'));
  details.addEventListener('toggle', () => {
    if (!details.open || details.children.length > 1) return;
    details.append(table(['Token', 'Counts'], [...order.map(([value, token]) => [token, signed(value)]),
      ['[CLS], [SEP] together', signed(one.other || 0)]], [1], {label: 'The strongest tokens'}));
  });
  return details;
}
function review(example, h0, name) {
  return h('p', {class: 'review', tabindex: '0', role: 'group', 'aria-label': name, dir: 'auto'}, ...marked(example, h0));
}
// The value of a marked token where the pointer is.
const tokenTip = h('div', {class: 'tip', hidden: true, 'aria-hidden': 'true'});
document.body.append(tokenTip);
document.addEventListener('pointerover', event => {
  const mark = event.target instanceof Element ? event.target.closest('mark[data-value]') : null;
  tokenTip.hidden = !mark;
  if (!mark) return;
  tokenTip.textContent = mark.textContent.trim() + '\n' + signed(Number(mark.dataset.value));
  const box = mark.getBoundingClientRect(), wide = document.documentElement.clientWidth;
  tokenTip.style.left = Math.max(4, Math.min(box.left + scrollX, wide - tokenTip.offsetWidth - 8)) + 'px';
  tokenTip.style.top = Math.max(4, box.top + scrollY - tokenTip.offsetHeight - 6) + 'px';
});

// ---- keys ----
// Single letters are taken only while nothing is typed in, and can be switched off.
let shortcuts = true;
const keys = new Map();
document.addEventListener('keydown', event => {
  if (!shortcuts || event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
  const on = event.target;
  if (on instanceof HTMLInputElement && on.type !== 'checkbox' || on instanceof HTMLSelectElement) return;
  const action = keys.get(event.key);
  if (action && action(event) !== false) event.preventDefault();
});
const keyList = pairs => h('ul', {class: 'keys', 'aria-label': 'Keys'}, ...pairs.map(([names, what]) =>
  h('li', {}, ...names.flatMap((name, i) => i ? [' ', h('kbd', {}, name)] : [h('kbd', {}, name)]), ' ' + what)));
const behavior = () => matchMedia('(prefers-reduced-motion: reduce)').matches ? 'auto' : 'smooth';

// ---- the list ----
function browser() {
  const box = document.getElementById('browser');
  if (!data.examples.length) {
    box.append(h('p', {class: 'soft'}, data.evaluations.length ? 'This page was written without texts.' :
      'Texts are shown after the first evaluation.'));
    return;
  }
  const examples = data.examples, heads = data.heads;
  const hasMarks = heads.map((_, k) => examples.some(e => e.heads[k] && e.heads[k].w));
  const unmarked = examples.filter(e => !e.heads.some(one => one.w)).length;
  box.append(h('p', {class: 'soft'}, plural(examples.length, 'text') + ' of the evaluation: the worst of each head, and ' +
    count(examples.filter(e => e.lists.includes(-1)).length) + ' drawn at random.' +
    (data.examples_left_out ? ' ' + plural(data.examples_left_out, 'text') + ' more did not fit on the page.' : '') +
    (hasMarks.includes(true) && unmarked ? ' Of ' + plural(unmarked,
        'text') + ' the tokens are not marked: the time for it was over.' : '')));
  const choice = (name, options) => {
    const select = h('select', {}, ...options.map(([value, text]) => h('option', {value}, text)));
    controls.append(h('label', {}, name, select));
    select.addEventListener('change', () => update());
    return select;
  };
  const controls = h('div', {class: 'controls', role: 'search', 'aria-label': 'Examples'});
  const search = h('input', {type: 'search', placeholder: 'words of the text', autocomplete: 'off', spellcheck: 'false'});
  controls.append(h('label', {}, 'Search', search));
  search.addEventListener('input', () => update());
  const known = k => examples.some(e => e.heads[k] && e.heads[k].error !== null);
  const lists = choice('Which', [['all', 'all ' + count(examples.length)], ['-1', 'drawn at random'],
    ...heads.map((head, k) => [String(k), 'worst of ' + head.name]).filter(([k]) => examples.some(e =>
        e.lists.includes(Number(k))))]);
  const wrongs = [['', 'right and wrong']];
  heads.forEach((head, k) => {
    if (!known(k)) return;
    wrongs.push(head.classes ? ['w' + k, 'wrong: ' + head.name]
      : ['w' + k, head.name + ' off by more than ' + number(head.mae ? head.mae[0] : 1, 2)]);
  });
  const wrong = choice('Show', wrongs);
  const truths = [['', 'any']];
  heads.forEach((head, k) => {
    const values = [...new Set(examples.map(e => e.heads[k] && e.heads[k].truth))].filter(v => v !== null &&
        v !== undefined);
    if (values.length <= 30) for (const v of values.sort((a, b) => a - b))
      truths.push([k + ':' + v, head.name + ' ' + valueText(head, v)]);
  });
  const truth = choice('Truth', truths);
  const sort = choice('Sort by', [...heads.map((head, k) => [[k + 'd', head.name + ': largest error first'],
    [k + 'u', head.name + ': smallest error first']]).flatMap((pair, k) => known(k) ? pair : []),
    ['row', 'place in the data'], ['long', 'longest first']]);
  const marks = choice('Mark tokens for', [...heads.map((head, k) => [String(k), head.name]).filter((_,
      k) => hasMarks[k]), ['-1', 'no head']]);
  const toggle = h('input', {type: 'checkbox', checked: true});
  toggle.addEventListener('change', () => { shortcuts = toggle.checked; });
  controls.append(h('label', {class: 'row'}, toggle, 'Keyboard shortcuts'));
  const status = h('p', {class: 'soft', role: 'status', id: 'browser-status'});
  const legend = h('div', {}), list = h('div', {id: 'examples'}), more = h('button', {type: 'button'}, 'Show 10 more');
  box.append(controls, keyList([[['/'], 'search'], [['j'], 'next text'], [['k'], 'previous text'], [['m'],
      'mark for another head'],
    [['g'], 'guess first']]), status, legend, list, more);

  let found = [], shown = 10, current = -1;
  function card(example, place) {
    const h0 = Number(marks.value);
    const said = heads.map((head, k) => {
      const one = example.heads[k];
      if (!one || one.predicted === null) return null;
      const verdict = one.truth === null ? null : head.classes
        ? h('span', {class: isWrong(head, one) ? 'verdict-wrong' : 'verdict-right'}, isWrong(head,
            one) ? ' wrong' : ' right')
        : h('span', {class: 'soft'}, ' off by ' + number(one.error, 2));
      return h('li', {}, head.name + ': ', h('b', {}, saidText(head, one)), one.truth === null ? '' : ', truth ' +
          valueText(head, one.truth), verdict);
    });
    const title = (place + 1) + '. ' + (example.source || 'text ' + example.row);
    return h('article', {class: 'card example', tabindex: '-1', 'aria-label': 'Text ' + (place + 1) + ' of ' + found.length},
      h('h3', {}, title, example.length ? h('span', {class: 'soft'}, ' ' + plural(example.length, 'token') +
        (example.cut ? ', its end was not read' : '') + (example.decoded ? ', as the tokens read' : '') +
        (hasMarks.includes(true) && !example.heads.some(one => one.w) ? ', not marked' : '')) : ''),
      h('ul', {class: 'said'}, ...said), review(example, h0, 'Text'), h0 >= 0 ? strongest(example, h0) : null);
  }
  function highlight() {
    if (!CSS.highlights || typeof Highlight === 'undefined') return;
    CSS.highlights.delete('found');
    const wanted = search.value.trim().toLowerCase(), ranges = [];
    if (!wanted) return;
    for (const text of list.querySelectorAll('.review')) {
      const walker = document.createTreeWalker(text, NodeFilter.SHOW_TEXT);
      for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const lower = node.data.toLowerCase();
        for (let at = lower.indexOf(wanted); at >= 0 && lower.length === node.data.length; at = lower.indexOf(wanted,
            at + wanted.length)) {
          const range = new Range();
          range.setStart(node, at);
          range.setEnd(node, at + wanted.length);
          ranges.push(range);
        }
      }
    }
    CSS.highlights.set('found', new Highlight(...ranges));
  }
  function draw() {
    const focused = list.contains(document.activeElement);
    list.replaceChildren(...found.slice(0, shown).map(card));
    more.hidden = found.length <= shown;
    legend.replaceChildren(...[Number(marks.value) >= 0 ? markLegend(Number(marks.value)) : null].filter(Boolean));
    if (current >= 0 && current < list.children.length) {
      list.children[current].classList.add('current');
      if (focused) list.children[current].focus({preventScroll: true});
    }
    highlight();
  }
  function update() {
    const wanted = search.value.trim().toLowerCase();
    found = examples.filter(e => {
      if (wanted && !e.text.toLowerCase().includes(wanted) && !e.source.toLowerCase().includes(wanted)) return false;
      if (lists.value !== 'all' && !e.lists.includes(Number(lists.value))) return false;
      if (wrong.value) {
        const k = Number(wrong.value.slice(1)), one = e.heads[k], head = heads[k];
        if (!one || (head.classes ? !isWrong(head, one) : !(one.error > (head.mae ? head.mae[0] : 1)))) return false;
      }
      if (truth.value) {
        const [k, v] = truth.value.split(':').map(Number);
        if (!e.heads[k] || e.heads[k].truth !== v) return false;
      }
      return true;
    });
    const how = sort.value;
    const error = (e, k) => e.heads[k] && e.heads[k].error !== null ? e.heads[k].error : -1;
    found.sort((a, b) => how === 'row' ? a.row - b.row : how === 'long' ? b.length - a.length
      : how.endsWith('d') ? error(b, parseInt(how, 10)) - error(a, parseInt(how, 10)) : error(a, parseInt(how,
          10)) - error(b, parseInt(how, 10)));
    shown = 10;
    current = -1;
    status.textContent = found.length === examples.length ? plural(found.length, 'text') + '.'
      : found.length ? count(found.length) + ' of ' + plural(examples.length,
          'text') + '.' : 'No text fits: change the search or the filters.';
    draw();
  }
  function go(to) {
    if (to < 0 || to >= found.length) return;
    if (to >= shown) { shown += 10; draw(); }
    if (list.children[current]) list.children[current].classList.remove('current');
    current = to;
    list.children[to].classList.add('current');
    list.children[to].focus({preventScroll: true});
    list.children[to].scrollIntoView({block: 'start', behavior: behavior()});
  }
  more.addEventListener('click', () => { const first = shown; shown += 10; draw(); go(first); });
  keys.set('/', () => { search.focus(); search.select(); search.scrollIntoView({block: 'center', behavior: behavior()}); });
  keys.set('j', () => go(current + 1));
  keys.set('k', () => go(Math.max(0, current - 1)));
  keys.set('m', () => { marks.selectedIndex = (marks.selectedIndex + 1) % marks.options.length; draw(); });
  search.addEventListener('keydown', event => {
    if (event.key === 'Enter') { event.preventDefault(); go(0); }
    if (event.key === 'Escape' && search.value) { search.value = ''; update(); }
  });
  update();
}
)js";

}  // namespace hone

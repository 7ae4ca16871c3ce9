// The script of report.html, first part: elements, numbers as text, tables, and one function that draws any chart.
#pragma once

#include <string_view>

namespace hone {

/// Texts reach the page through textContent alone: nothing of the data is ever read as HTML.
inline constexpr std::string_view page_charts = R"js(
'use strict';
(() => {
const data = JSON.parse(document.getElementById('data').textContent);

// ---- elements ----
function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {}))
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? '' : value);
  for (const child of children) if (child !== null && child !== undefined && child !== false) element.append(child);
  return element;
}
const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) =>
  fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);

// ---- numbers and names as text ----
const count = n => n == null ? '' : Math.round(n).toLocaleString('en-US');
const plural = (n, word) => count(n) + ' ' + word + (n === 1 ? '' : 's');
function number(value, digits = 3) {
  if (value === null || value === undefined || !Number.isFinite(value)) return 'not a number';
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-3) return value.toExponential(2).replace('e+', 'e').replace(/\.?0+e/, 'e');
  if (Number.isInteger(value) || size >= 1000) return value.toLocaleString('en-US', {maximumFractionDigits: 0});
  return size < 0.1 ? value.toPrecision(Math.max(1, digits)) : value.toFixed(digits);
}
// Without zeros at the end: 10, 2.5.
const short = (value, digits = 2) => { const t = number(value, digits); return t.includes('.') && !t.includes('e') ?
    t.replace(/\.?0+$/, '') : t; };
const percent = (share, digits = 1) => share == null ? 'not a number' : (100 * share).toFixed(digits) + ' %';
const signed = value => (value < 0 ? '\u2212' : '+') + number(Math.abs(value), 3);
function duration(seconds) {
  if (seconds == null) return '';
  if (seconds < 60) return seconds.toFixed(1) + ' s';
  const m = Math.floor(seconds / 60), two = n => String(n).padStart(2, '0');
  return m < 60 ? m + ':' + two(Math.floor(seconds % 60)) + ' min' : Math.floor(m / 60) + ':' + two(m % 60) + ' h';
}
const when = iso => iso ? iso.replace('T', ' ').replace('Z', ' UTC') : '';
const shell = word => /^[\w@%+=:,./-]+$/.test(word) ? word : "'" + word.replaceAll("'", "'\\''") + "'";
const className = (head, k) => head.names[k] !== undefined ? head.names[k] : String(k);

function table(names, rows, numeric = [], options = {}) {
  const is = i => numeric.includes(i) ? 'n' : null;
  return h('div', {class: 'scroll', tabindex: '0', role: 'group', 'aria-label': options.label || names.join(', ')},
    h('table', {class: options.class}, h('thead', {}, h('tr', {}, ...names.map((name, i) => h('th', {scope: 'col',
        class: is(i)}, name)))),
      h('tbody', {}, ...rows.map(row => h('tr', {}, ...row.map((cell, i) =>
        i === 0 ? h('th', {scope: 'row', class: is(i)}, cell) : h('td', {class: is(i)}, cell)))))));
}

// ---- axes ----
function ticks(low, high, wanted) {
  if (!(high > low)) return [low];
  const raw = (high - low) / Math.max(1, wanted), power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map(k => k * power).find(k => k >= raw * 0.999);
  const list = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9;
  ++i) list.push(Number((i * step).toPrecision(12)));
  return list;
}
function logTicks(low, high, wanted) {
  const list = [], first = Math.floor(Math.log10(low)), last = Math.ceil(Math.log10(high));
  const every = Math.max(1, Math.ceil((last - first) / Math.max(1, wanted))), fine = last - first <= 2 ? [1, 2, 5] : [1];
  for (let e = first; e <= last; e += every) for (const k of fine) {
    const value = k * 10 ** e;
    if (value >= low * 0.999 && value <= high * 1.001) list.push(Number(value.toPrecision(3)));
  }
  return list.length > 1 ? list : [low, high];
}
// The least and the greatest finite number of lists; [0, 1] when there is none.
function span(...lists) {
  let low = Infinity, high = -Infinity;
  for (const list of lists) for (const v of list) if (v !== null && Number.isFinite(v)) {
    if (v < low) low = v;
    if (v > high) high = v;
  }
  return low > high ? [0, 1] : low === high ? [low - Math.abs(low || 1) / 2, high + Math.abs(high || 1) / 2] : [low, high];
}
// The same without the few largest, for a raw curve with spikes.
function spanMost(list) {
  const sorted = list.filter(v => v !== null && Number.isFinite(v)).sort((a, b) => a - b);
  return sorted.length ? [sorted[0], sorted[Math.floor((sorted.length - 1) * 0.98)]] : [];
}
function room(low, high) {  // round ends, and 0 where it is near
  if (low > 0 && low < high * 0.4) low = 0;
  const list = ticks(low, high, 5), step = list.length > 1 ? list[1] - list[0] : 1;
  return [Math.floor(low / step + 1e-9) * step, Math.ceil(high / step - 1e-9) * step];
}

// ---- one chart ----
// o.title, o.note; o.x and o.y: {label, domain, log, ticks, format}; o.draw(p): adds to p with p.x(), p.y(), p.line(), ...;
// o.hits: what can be pointed at or walked along with the arrow keys, {x, y, text}, or with a box {x0, x1, y0, y1, text};
// o.legend: [{name, kind: line|box|dot, class}]; o.table: {names, rows, numeric}; o.near: 'x' or 'xy'.
const plots = [];
function plot(into, o) {
  const frame = h('div', {class: 'plot', tabindex: '0', role: 'group', 'aria-roledescription': 'chart',
    'aria-label': o.title + '. ' + (o.note || '') + ' ' + (o.hits.length ?
        'Left and right arrow keys read its points.' : '')});
  const tip = h('div', {class: 'tip', role: 'status', hidden: true});
  const figure = h('figure', {}, h('figcaption', {}, o.title), o.note ? h('p', {}, o.note) : null, frame, tip);
  if (o.legend && o.legend.length) figure.append(h('ul', {class: 'legend'}, ...o.legend.map(entry => {
    const sign = entry.kind === 'line' ? svg('line', {x1: 1, y1: 6, x2: 25, y2: 6, class: 'line ' + entry.class})
      : entry.kind === 'dot' ? svg('circle', {cx: 13, cy: 6, r: 4.5, class: entry.class})
      : svg('rect', {x: 4, y: 0, width: 18, height: 12, class: entry.class});
    return h('li', {}, svg('svg', {'aria-hidden': 'true', viewBox: '0 0 26 12'}, sign), entry.name);
  })));
  if (o.table) {
    const details = h('details', {}, h('summary', {}, 'As a table'));
    details.addEventListener('toggle', () => {
      if (details.open && details.children.length < 2) details.append(table(o.table.names, o.table.rows.slice(0, 400),
          o.table.numeric || [], {label: o.title}));
    });
    figure.append(details);
  }
  into.append(figure);
  const height = o.height || 250;
  let width = 0, drawn = null, marker = null, at = -1;
  // As many digits as tell the ticks apart.
  const format = (axis, list) => {
    if (axis.format) return axis.format;
    const step = Math.min(...list.slice(1).map((v, i) => Math.abs(v - list[i])).filter(d => d > 0),
        Math.abs(list[list.length - 1]));
    if (axis.log || !(step < 1)) return v => short(v);
    if (step < 1e-4) return v => v ? v.toExponential(2).replace(/\.?0+e/, 'e') : '0';
    return v => v.toFixed(Math.ceil(1 - Math.log10(step))).replace(/\.?0+$/, '');
  };
  function draw() {
    width = Math.max(220, Math.floor(frame.clientWidth));
    const [ylow, yhigh] = o.y.domain, [xlow, xhigh] = o.x.domain;
    const yticks = o.y.ticks || (o.y.log ? logTicks(ylow, yhigh, 5) : ticks(ylow, yhigh, 5));
    const ylabels = yticks.map(format(o.y, yticks)), left = 14 + 7 * Math.max(1, ...ylabels.map(t => t.length));
    const top = 24, right = 14, bottom = 42;
    const along = (v, low, high, a, b, log) => {
      const share = log ? Math.log(v / low) / Math.log(high / low) : (v - low) / (high - low);
      return a + Math.min(1, Math.max(0, share)) * (b - a);
    };
    const p = {left, top, right: width - right, bottom: height - bottom, root: svg('svg', {viewBox: '0 0 ' + width +
        ' ' + height,
      'aria-hidden': 'true', focusable: 'false'})};
    p.x = v => along(v, xlow, xhigh, p.left, p.right, o.x.log);
    p.y = v => along(v, ylow, yhigh, p.bottom, p.top, o.y.log);
    p.add = (tag, attributes, ...children) => { const e = svg(tag, attributes, ...children); p.root.append(e); return e; };
    p.line = (xs, ys, style) => {
      let path = '', open = false;
      for (let i = 0; i < xs.length; ++i) {
        if (ys[i] === null || xs[i] === null || (o.y.log && !(ys[i] > 0))) { open = false; continue; }
        path += (open ? 'L' : 'M') + p.x(xs[i]).toFixed(1) + ' ' + p.y(ys[i]).toFixed(1);
        open = true;
      }
      p.add('path', {d: path || 'M0 0', class: 'line ' + style});
    };
    p.dot = (x, y, style, r = 3.5) => p.add('circle', {cx: p.x(x).toFixed(1), cy: p.y(y).toFixed(1), r,
        class: style + ' edge'});
    p.box = (x0, x1, y0, y1, style) => {
      const a = p.x(x0), b = p.x(x1), c = p.y(y1), d = p.y(y0);
      return p.add('rect', {x: a.toFixed(1), y: c.toFixed(1), width: Math.max(0, b - a).toFixed(1), height: Math.max(0,
          d - c).toFixed(1), class: style});
    };
    p.whisker = (x, low, high, style) => p.add('path', {class: 'line ' + style, d: 'M' + p.x(x) + ' ' + p.y(low) + 'V' +
        p.y(high) +
      'M' + (p.x(x) - 4) + ' ' + p.y(low) + 'h8M' + (p.x(x) - 4) + ' ' + p.y(high) + 'h8'});
    for (let i = 0; i < yticks.length; ++i) {
      const y = p.y(yticks[i]);
      p.add('line', {x1: left, x2: p.right, y1: y, y2: y, class: 'grid'});
      p.add('text', {x: left - 6, y: y + 4, 'text-anchor': 'end'}, ylabels[i]);
    }
    let xticks = o.x.ticks || ticks(xlow, xhigh, Math.max(2, Math.min(8, Math.floor((p.right - left) / 70))));
    const xtext = format(o.x, xticks), widest = Math.max(...xticks.map(t => xtext(t).length)) * 7 + 8;
    const every = Math.max(1, Math.ceil(xticks.length * widest / (p.right - left)));
    xticks = xticks.filter((t, i) => i % every === 0);
    for (const t of xticks) {
      p.add('line', {x1: p.x(t), x2: p.x(t), y1: p.bottom, y2: p.bottom + 4, class: 'axis'});
      p.add('text', {x: p.x(t), y: p.bottom + 17, 'text-anchor': 'middle'}, xtext(t));
    }
    p.add('text', {x: 0, y: 12, class: 'label'}, o.y.label);
    p.add('text', {x: p.right, y: height - 6, 'text-anchor': 'end', class: 'label'}, o.x.label);
    o.draw(p);
    p.add('line', {x1: left, x2: p.right, y1: p.bottom, y2: p.bottom, class: 'axis'});
    p.add('line', {x1: left, x2: left, y1: p.top, y2: p.bottom, class: 'axis'});
    frame.replaceChildren(p.root);
    drawn = p;
    marker = null;
    if (at >= 0 && !tip.hidden) show(at);
  }
  const middle = hit => [drawn.x(hit.x0 === undefined ? hit.x : (hit.x0 + hit.x1) / 2), drawn.y(hit.y0 === undefined ?
      hit.y : (hit.y0 + hit.y1) / 2)];
  function show(i) {
    at = i;
    const hit = o.hits[i], [x, y] = middle(hit);
    if (marker) marker.remove();
    marker = hit.x0 !== undefined ? drawn.box(hit.x0, hit.x1, hit.y0, hit.y1, 'picked') : svg('g', {},
      svg('line', {x1: x, x2: x, y1: drawn.top, y2: drawn.bottom, class: 'cross'}), svg('circle', {cx: x, cy: y, r: 5,
          class: 'picked', fill: 'none'}));
    if (hit.x0 !== undefined) marker.setAttribute('fill', 'none');
    drawn.root.append(marker);
    tip.textContent = hit.text;
    tip.hidden = false;
    const scale = frame.clientWidth / width, box = figure.getBoundingClientRect(), inner = frame.getBoundingClientRect();
    const px = inner.left - box.left + x * scale, py = inner.top - box.top + y * scale;
    tip.style.left = Math.max(4, Math.min(px + 12, box.width - tip.offsetWidth - 6)) + 'px';
    tip.style.top = Math.max(4, py - tip.offsetHeight - 10) + 'px';
  }
  function hide() {
    tip.hidden = true;
    if (marker) marker.remove();
    marker = null;
  }
  function nearest(event) {
    const inner = frame.getBoundingClientRect(), scale = width / inner.width;
    const x = (event.clientX - inner.left) * scale, y = (event.clientY - inner.top) * scale;
    let best = -1, least = Infinity;
    o.hits.forEach((hit, i) => {
      if (hit.x0 !== undefined) {
        const inside = x >= drawn.x(hit.x0) && x <= drawn.x(hit.x1) && (o.near === 'x' || (y <= drawn.y(hit.y0) &&
            y >= drawn.y(hit.y1)));
        if (inside) { best = i; least = -1; }
        return;
      }
      const [a, b] = middle(hit), far = o.near === 'xy' ? (a - x) ** 2 + (b - y) ** 2 : Math.abs(a - x);
      if (far < least) { least = far; best = i; }
    });
    return best;
  }
  for (const type of ['pointermove', 'pointerdown']) frame.addEventListener(type, event => {
    if (!drawn || !o.hits.length) return;
    const i = nearest(event);
    if (i >= 0) show(i); else hide();
  });
  frame.addEventListener('pointerleave', hide);
  frame.addEventListener('blur', hide);
  frame.addEventListener('keydown', event => {
    const last = o.hits.length - 1, page = Math.max(1, Math.round(last / 20));
    const to = {ArrowRight: at + 1, ArrowLeft: at < 0 ? last : at - 1, PageDown: at + page, PageUp: at - page, Home: 0,
        End: last}[event.key];
    if (event.key === 'Escape') { hide(); return; }
    if (to === undefined || last < 0 || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    show(Math.min(last, Math.max(0, to)));
  });
  plots.push(() => { if (frame.clientWidth && Math.max(220, Math.floor(frame.clientWidth)) !== width) draw(); });
  new ResizeObserver(plots[plots.length - 1]).observe(frame);
}
)js";

}  // namespace hone

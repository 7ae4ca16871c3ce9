// The script of report.html, second part: the figures of training and of the evaluation.
#pragma once

#include <string_view>

namespace hone {

inline constexpr std::string_view page_figures = R"js(
// ---- training ----
const styles = 'abcdefgh';
function every(xs, text, ys) {  // what can be pointed at along curves
  return xs.map((x, i) => ({x, y: ys[i], text: text(i)})).filter(hit => hit.y !== null && hit.y !== undefined);
}
const stepFormat = v => v >= 10000 ? short(v / 1000, 1) + 'k' : number(v);
function evaluationsOf(head, pick) {
  const list = [];
  for (const e of data.evaluations) {
    const measures = e.heads[head];
    const value = measures && pick(measures);
    if (value && Number.isFinite(value.value)) list.push({step: e.step, ...value});
  }
  return list;
}
// The head's loss is the first of its measures, unless the file was sorted.
const firstMeasure = measures => {
  const usual = ['cross_entropy', 'l1'].find(name => typeof measures[name] === 'number');
  const found = usual ? [usual, measures[usual]] : Object.entries(measures).find(([, value]) => typeof value === 'number');
  return found && {name: found[0], value: found[1]};
};
function training() {
  const box = document.getElementById('training'), s = data.steps, all = h('div', {class: 'figures'});
  if (!s.count && !data.evaluations.length) {
    box.append(h('p', {class: 'soft'}, 'No step has been trained.'));
    return;
  }
  const means = s.mean_of > 1 ? ' Each point is the mean of ' + s.mean_of + ' steps.' : '';
  const steps = s.step, edge = Math.max(1, ...steps.slice(-1), ...data.evaluations.map(e => e.step));
  const x = {label: 'optimizer step', domain: [0, edge], format: stepFormat};
  const curve = (title, y, raw, smooth, tests, note, testName) => {
    const shown = [...(raw ? spanMost(raw) : []), ...span(smooth || raw || [], tests.map(t => t.value))];
    const hits = every(steps, i => 'step ' + count(steps[i]) + (smooth ? '\nsmoothed: ' + number(smooth[i], 4) : '') +
      (raw ? '\n' + (s.mean_of > 1 ? 'mean of ' + s.mean_of + ' steps: ' : 'this step: ') + number(raw[i], 4) : ''),
          smooth || raw || []);
    for (const t of tests) hits.push({x: t.step, y: t.value, text: 'after step ' + count(t.step) + '\n' + testName +
        ': ' + number(t.value, 4)});
    hits.sort((a, b) => a.x - b.x);
    plot(all, {title, note, x, y: {...y, domain: y.domain || room(...span(shown))}, hits,
      draw(p) {
        if (raw) p.line(steps, raw, 'faint sa-faint');
        if (smooth) p.line(steps, smooth, 'sa');
        if (tests.length > 1) p.line(tests.map(t => t.step), tests.map(t => t.value), 'sb dash1');
        for (const t of tests) p.dot(t.step, t.value, 'fb', 4.5);
      },
      legend: [raw && {name: 'training', kind: 'line', class: 'faint sa-faint'}, smooth && {name: 'training, smoothed',
          kind: 'line', class: 'sa'},
        tests.length && {name: testName, kind: 'dot', class: 'fb'}].filter(Boolean),
      table: {names: ['Step', 'Smoothed', 'Training'], numeric: [0, 1, 2],
        rows: thin(steps.map((v, i) => [count(v), smooth ? number(smooth[i], 4) : '', raw ? number(raw[i], 4) : '']),
            200).concat(
          tests.map(t => [count(t.step), number(t.value, 4), testName]))}});
  };
  const names = [...new Set([...Object.keys(s.losses), ...data.evaluations.flatMap(e => Object.keys(e.heads))])];
  for (const name of names) {
    const own = s.losses[name] || {}, tests = evaluationsOf(name, firstMeasure);
    if (!own.smooth && !tests.length) continue;
    const lossName = tests.length ? tests[0].name.replaceAll('_', ' ') : 'loss';
    curve('Loss of ' + name, {label: lossName + ' (mean over texts)'}, own.raw, own.smooth, tests,
      own.smooth ? 'Smoothed over about ' + s.memory + ' steps.' + means : '', 'evaluation');
  }
  for (const head of data.heads) {
    const measure = head.classes ? 'accuracy' : 'mean_absolute_error';
    const tests = evaluationsOf(head.name, m => m[measure] === undefined ? null : {value: m[measure],
        interval: m[measure + '_interval']});
    const first = data.heads.find(other => other.classes), own = head === first ? s.accuracy || {} : {};
    if (!own.smooth && tests.length < 2) continue;
    if (head.classes) curve('Accuracy of ' + head.name, {label: 'share of right answers', domain: [0, 1]}, own.raw,
        own.smooth, tests,
      own.smooth ? 'In training: of the batch, with dropout, before the step.' : '', 'evaluation');
    else curve('Mean absolute error of ' + head.name, {label: 'mean absolute error'}, null, null, tests, '', 'evaluation');
  }
  if (!s.count) {
    box.append(all.children.length ? all : h('p', {class: 'soft'},
        'This page was written without the steps of the training.'));
    return;
  }
  curve('Learning rate', {label: 'learning rate', domain: [0, room(...span([0], s.learning_rate))[1]]}, null,
      s.learning_rate, [], '', '');
  all.lastChild.querySelector('.legend').remove();
  if (s.grad_norm && s.grad_norm.smooth) curve('Norm of the gradient', {label: 'Euclidean norm, before clipping'},
      s.grad_norm.raw,
    s.grad_norm.smooth, [], means.trim(), '');
  const groups = Object.entries(s.group_norms).filter(([, values]) => values.some(v => v > 0));
  if (groups.length) {
    const style = i => 's' + styles[i % 8] + (Math.floor(i / 8) % 4 ? ' dash' + Math.floor(i / 8) % 4 : '');
    const [low, high] = span(...groups.map(([, values]) => values.filter(v => v > 0)));
    plot(all, {title: 'Norm of the gradient by layer', note: 'Logarithmic, smoothed over about ' + s.memory + ' steps.',
        height: 300, x,
      y: {label: 'Euclidean norm, before clipping', domain: [low, high > low ? high : low * 10], log: true},
      hits: every(steps, i => 'step ' + count(steps[i]) + '\n' + groups.map(([name, v]) => name + ': ' + number(v[i],
          4)).join('\n'),
        groups[0][1].map(v => v > 0 ? v : null)),
      draw(p) { groups.forEach(([, values], i) => p.line(steps, values, style(i))); },
      legend: groups.map(([name], i) => ({name, kind: 'line', class: style(i)})),
      table: {names: ['Step', ...groups.map(([name]) => name)], numeric: [...groups.keys()].map(i => i + 1).concat(0),
        rows: thin(steps.map((v, i) => [count(v), ...groups.map(([, values]) => number(values[i], 4))]), 100)}});
  }
  if (s.tokens_per_second && s.tokens_per_second.smooth) curve('Speed', {label: 'tokens per second'},
      s.tokens_per_second.raw,
    s.tokens_per_second.smooth, [], means.trim(), '');
  box.append(all);
}
function thin(rows, most) {
  if (rows.length <= most) return rows;
  return Array.from({length: most}, (_, i) => rows[Math.round(i * (rows.length - 1) / (most - 1))]);
}

// ---- evaluation ----
function evaluation() {
  const box = document.getElementById('evaluation'), heads = data.heads.filter(head => head.count);
  if (!heads.length) {
    box.append(h('p', {class: 'soft'}, data.evaluations.length ?
        'The evaluated texts have no labels that could be compared.' :
      'There has been no evaluation yet.'));
    return;
  }
  for (const head of heads) {
    const all = h('div', {class: 'figures'});
    box.append(h('h3', {}, head.name + ', ' + plural(head.count, 'text')), all);
    if (head.classes) classifying(all, head); else regressing(all, head);
    byLength(all, head);
  }
}
const share = v => percent(v, 0);
const unit = {domain: [0, 1], ticks: [0, 0.2, 0.4, 0.6, 0.8, 1], format: v => v.toFixed(1)};
function heatLevel(value, most) { return value > 0 ? 1 + Math.min(5, Math.floor(6 * Math.sqrt(value / most) * 0.9999)) : 0; }
function classifying(all, head) {
  if (head.confusion) {
    const rows = head.confusion, figure = h('figure', {}, h('figcaption', {}, 'Confusion'),
      h('p', {}, 'Rows: the truth. Columns: what the model said. Shares are of the row.'));
    figure.append(h('div', {class: 'scroll', tabindex: '0', role: 'group', 'aria-label': 'Confusion of ' + head.name},
      h('table', {class: 'confusion'}, h('thead', {}, h('tr', {}, h('th', {scope: 'col'}, 'Truth'),
        ...rows.map((_, k) => h('th', {scope: 'col', class: 'n'}, 'said ' + className(head, k))))),
      h('tbody', {}, ...rows.map((row, t) => {
        const sum = row.reduce((a, b) => a + b, 0);
        return h('tr', {}, h('th', {scope: 'row'}, className(head, t)), ...row.map((n, k) =>
          h('td', {class: 'heat' + Math.round(3 * n / (sum || 1))}, h('b', {}, count(n)), h('br'),
              sum ? percent(n / sum) : '',
            h('br'), h('span', {class: t === k ? 'verdict-right' : 'verdict-wrong'}, t === k ? 'right' : 'wrong'))));
      })))));
    all.append(figure);
  }
  const bins = head.calibration.filter(b => b[2] > 0), most = Math.max(...bins.map(b => b[2]));
  plot(all, {title: 'Calibration', note: 'Expected calibration error (ECE) ' + percent(head.ece,
      2) + '. On the dashed line the model is right as often as it is sure.',
    x: {...unit, label: 'confidence: probability of the class it chose'}, y: {...unit, label: 'share of right answers'},
        near: 'x',
    hits: bins.map(b => ({x: b[3], y: b[4], text: 'confidence ' + percent(b[0], 0) + ' to ' + percent(b[1],
        0) + '\nmean confidence ' + percent(b[3]) +
      '\nright ' + percent(b[4]) + '\n' + plural(b[2], 'text')})),
    draw(p) {
      p.add('line', {x1: p.x(0), y1: p.y(0), x2: p.x(1), y2: p.y(1), class: 'guide'});
      for (const b of bins) p.add('line', {x1: p.x(b[3]), x2: p.x(b[3]), y1: p.y(b[3]), y2: p.y(b[4]), class: 'line sb'});
      p.line(bins.map(b => b[3]), bins.map(b => b[4]), 'sa');
      for (const b of bins) p.dot(b[3], b[4], 'fa', 3 + 6 * Math.sqrt(b[2] / most));
    },
    legend: [{name: 'texts of similar confidence (larger: more of them)', kind: 'dot', class: 'fa'},
        {name: 'how far off', kind: 'line', class: 'sb'},
      {name: 'perfect', kind: 'line', class: 'guide'}],
    table: {names: ['From', 'To', 'Texts', 'Mean confidence', 'Right'], numeric: [0, 1, 2, 3, 4],
      rows: bins.map(b => [percent(b[0], 0), percent(b[1], 0), count(b[2]), percent(b[3]), percent(b[4])])}});
  const histogram = head.confidence, from = histogram.findIndex(b => b[0] + b[1] > 0), bar = 1 / histogram.length;
  const high = Math.max(...histogram.map(b => b[0] + b[1])), start = Math.max(0, Math.min(from * bar, 1 / head.classes));
  plot(all, {title: 'Confidence', note: 'How sure the model was, and whether it was right.',
    x: {label: 'confidence: probability of the class it chose', domain: [start, 1], format: v => v.toFixed(1)},
        y: {label: 'texts', domain: [0, room(0, high)[1]]},
    near: 'x', hits: histogram.map((b, i) => ({x0: Math.max(start, i * bar), x1: (i + 1) * bar, y0: 0, y1: b[0] + b[1],
        text: 'confidence ' + percent(i * bar, 0) + ' to ' +
      percent((i + 1) * bar, 0) + '\nright ' + count(b[0]) + '\nwrong ' + count(b[1])})).filter(b => b.x1 > start + 1e-9),
    draw(p) {
      histogram.forEach((b, i) => {
        if ((i + 1) * bar <= start + 1e-9) return;
        p.box(Math.max(start, i * bar), (i + 1) * bar, 0, b[1], 'fb edge');
        p.box(Math.max(start, i * bar), (i + 1) * bar, b[1], b[0] + b[1], 'fa edge');
      });
    },
    legend: [{name: 'right', kind: 'box', class: 'fa'}, {name: 'wrong', kind: 'box', class: 'fb'}],
    table: {names: ['From', 'To', 'Right', 'Wrong'], numeric: [0, 1, 2, 3], rows: histogram.map((b,
        i) => [percent(i * bar, 0), percent((i + 1) * bar, 0), count(b[0]), count(b[1])])}});
  const style = i => 's' + styles[i % 8] + (i % 4 ? ' dash' + i % 4 : '');
  const curves = head.curves;
  if (!curves.length) return;
  const named = c => head.classes === 2 ? '' : className(head, c.class) + ' ';
  plot(all, {title: 'ROC', note: 'Area under the curve: ' + curves.map(c => named(c) + number(c.auc, 4)).join(', ') +
      '.', near: 'xy',
    x: {...unit, label: 'false positive rate'}, y: {...unit, label: 'true positive rate'},
    hits: curves.flatMap(c => c.roc.map(q => ({x: q[0], y: q[1], text: named(c) + 'threshold ' + (q[2] === null ?
        'above all' : number(q[2], 4)) +
      '\nfalse positives ' + percent(q[0]) + '\ntrue positives ' + percent(q[1])}))),
    draw(p) {
      p.add('line', {x1: p.x(0), y1: p.y(0), x2: p.x(1), y2: p.y(1), class: 'guide'});
      curves.forEach((c, i) => p.line(c.roc.map(q => q[0]), c.roc.map(q => q[1]), style(i)));
    },
    legend: [...curves.map((c, i) => ({name: className(head, c.class), kind: 'line', class: style(i)})),
        {name: 'chance', kind: 'line', class: 'guide'}],
    table: {names: ['Class', 'False positive rate', 'True positive rate', 'Threshold'], numeric: [1, 2, 3],
      rows: curves.flatMap(c => thin(c.roc, 60).map(q => [className(head, c.class), percent(q[0]), percent(q[1]),
          q[2] === null ? '' : number(q[2], 4)]))}});
  plot(all, {title: 'Precision and recall', note: 'Average precision: ' + curves.map(c => named(c) +
      number(c.average_precision, 4)).join(', ') + '.', near: 'xy',
    x: {...unit, label: 'recall: share of the class that is found'}, y: {...unit,
        label: 'precision: share of the found that are right'},
    hits: curves.flatMap(c => [...c.pr].reverse().map(q => ({x: q[0], y: q[1], text: named(c) + (q[2] === null ?
        'nothing found' : 'threshold ' + number(q[2], 4)) +
      '\nrecall ' + percent(q[0]) + '\nprecision ' + percent(q[1])}))),
    draw(p) {
      for (const c of curves) p.add('line', {x1: p.x(0), x2: p.x(1), y1: p.y(c.share), y2: p.y(c.share), class: 'guide'});
      curves.forEach((c, i) => p.line(c.pr.map(q => q[0]), c.pr.map(q => q[1]), style(i)));
    },
    legend: [...curves.map((c, i) => ({name: className(head, c.class), kind: 'line', class: style(i)})),
        {name: 'chance', kind: 'line', class: 'guide'}],
    table: {names: ['Class', 'Recall', 'Precision', 'Threshold'], numeric: [1, 2, 3],
      rows: curves.flatMap(c => thin(c.pr, 60).map(q => [className(head, c.class), percent(q[0]), percent(q[1]),
          q[2] === null ? '' : number(q[2], 4)]))}});
}
function regressing(all, head) {
  const bars = head.by_truth.filter(b => b[1] > 0), columns = head.by_truth.map(b => b[0]), n = columns.length;
  const place = i => i + 0.5, name = i => short(columns[i]);
  const x = {label: 'truth (' + head.name + ')', domain: [0, n], ticks: [...columns.keys()].map(place),
      format: v => name(v - 0.5)};
  const values = head.by_truth.map((b, i) => ({b, i})).filter(({b}) => b[1] > 0);
  plot(all, {title: 'Error by true value', note: 'Mean absolute error ' + number(head.mae[0],
      3) + ' over all. Dots: the mean of what the model said less the truth.',
    x, y: {label: 'error', domain: room(...span([0], bars.flatMap(b => [b[2], b[4], b[5]])))}, near: 'x',
    hits: values.map(({b, i}) => ({x: place(i), y: b[2], text: 'truth ' + name(i) + ', ' + plural(b[1],
        'text') + '\nmean absolute error ' + number(b[2], 3) +
      (b[4] === null ? '' : '\n95 % interval ' + number(b[3], 3) + ' to ' + number(b[4],
          3)) + '\nmean of said less truth ' + signed(b[5])})),
    draw(p) {
      const [low, high] = [p.y(0), 0];
      for (const {b, i} of values) {
        p.box(i + 0.15, i + 0.85, 0, b[2], 'fa edge');
        if (b[4] !== null) p.whisker(place(i), b[3], b[4], 'sg');
      }
      p.add('line', {x1: p.left, x2: p.right, y1: low, y2: low, class: 'axis'});
      for (const {b, i} of values) p.dot(place(i), b[5], 'fb', 5);
    },
    legend: [{name: 'mean absolute error', kind: 'box', class: 'fa'}, {name: '95 % interval', kind: 'line',
        class: 'sg'}, {name: 'said less truth', kind: 'dot', class: 'fb'}],
    table: {names: ['Truth', 'Texts', 'Mean absolute error', '95 % interval', 'Said less truth'], numeric: [0, 1, 2, 3, 4],
      rows: values.map(({b, i}) => [name(i), count(b[1]), number(b[2], 3), b[4] === null ? '' : number(b[3],
          3) + ' to ' + number(b[4], 3), signed(b[5])])}});
  const g = head.grid, most = Math.max(...g.counts.flat()), rows = g.counts[0].length, cells = [];
  g.counts.forEach((column, i) => column.forEach((cell, r) => { if (cell) cells.push({i, r, cell}); }));
  const from = r => g.base + r * g.step;
  const text = c => 'truth ' + name(c.i) + '\nmodel said ' + number(from(c.r), 2) + ' to ' + number(from(c.r + 1),
      2) + '\n' + plural(c.cell, 'text');
  plot(all, {title: 'Truth and prediction',
      note: 'The darker (in dark mode the lighter) the more texts; the dashed line is a perfect prediction.', height: 320, x,
    y: {label: 'what the model said', domain: [from(0), from(rows)]}, near: 'xy',
    hits: cells.map(c => ({x0: c.i, x1: c.i + 1, y0: from(c.r), y1: from(c.r + 1), text: text(c)})),
    draw(p) {
      for (const c of cells) p.box(c.i, c.i + 1, from(c.r), from(c.r + 1), 'edge heat' + heatLevel(c.cell, most));
      for (const style of ['halo', 'line sb dash1']) for (let i = 0; i < n; ++i)
        p.add('line', {x1: p.x(i), x2: p.x(i + 1), y1: p.y(columns[i]), y2: p.y(columns[i]), class: style});
    },
    legend: [1, 3, 6].map(level => ({name: level === 1 ? '1 text' : level === 6 ? plural(most, 'text') : 'about ' +
        count(Math.max(1, most * ((level - 0.5) / 6) ** 2)),
      kind: 'box', class: 'heat' + level + ' axis'})).concat({name: 'perfect', kind: 'line', class: 'sb dash1'}),
    table: {names: ['Truth', 'Model said', 'Texts'], numeric: [0, 1, 2], rows: cells.map(c => [name(c.i),
        number(from(c.r), 2) + ' to ' + number(from(c.r + 1), 2), count(c.cell)])}});
}
function byLength(all, head) {
  const groups = head.by_length || [];
  if (groups.length < 2) return;
  const what = head.classes ? 'share of wrong answers' : 'mean absolute error';
  const shown = v => head.classes ? percent(v) : number(v, 3);
  const x = i => (groups[i][0] + groups[i][1]) / 2, [low, high] = [Math.max(1, groups[0][0]),
      groups[groups.length - 1][1] + 1];
  plot(all, {title: 'Length and error', note: 'Groups of about equally many texts, by tokens.', near: 'x',
    x: {label: 'tokens of the text', domain: [low, high], log: high / low > 8, ticks: high / low > 8 ? logTicks(low,
        high, 6) : null},
    y: {label: what, domain: [0, room(0, span(groups.flatMap(g => [g[3], g[5]]))[1])[1]], format: head.classes ?
        share : null},
    hits: groups.map((g, i) => ({x: x(i), y: g[3], text: count(g[0]) + ' to ' + count(g[1]) + ' tokens, ' + plural(g[2],
        'text') + '\n' + what + ' ' + shown(g[3]) +
      (g[5] === null ? '' : '\n95 % interval ' + shown(g[4]) + ' to ' + shown(g[5]))})),
    draw(p) {
      p.line(groups.map((_, i) => x(i)), groups.map(g => g[3]), 'sa');
      groups.forEach((g, i) => { if (g[5] !== null) p.whisker(x(i), g[4], g[5], 'sg'); });
      groups.forEach((g, i) => p.dot(x(i), g[3], 'fa', 4.5));
    },
    legend: [{name: what, kind: 'dot', class: 'fa'}, {name: '95 % interval', kind: 'line', class: 'sg'}],
    table: {names: ['From', 'To', 'Texts', what, '95 % interval'], numeric: [0, 1, 2, 3, 4],
      rows: groups.map(g => [count(g[0]), count(g[1]), count(g[2]), shown(g[3]), g[5] === null ? '' : shown(g[4]) +
          ' to ' + shown(g[5])])}});
}
)js";

}  // namespace hone

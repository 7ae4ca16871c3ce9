#!/usr/bin/env python3
"""Draws loss curves of several runs over each other: benchmarks/loss_curves.py PICTURE LABEL=RUN[,RUN...] ...

Runs of one label have one colour. A point is the mean of the last 20 steps' cross entropy, from RUN/metrics.jsonl; RUN
may also be such a file.
"""
import html
import json
import os
import sys

if len(sys.argv) < 3:
    sys.exit(__doc__)
groups, longest, highest = [], 1, 0.1
for argument in sys.argv[2:]:
    label, _, folders = argument.partition('=')
    curves = []
    for folder in folders.split(','):
        with open(folder if os.path.isfile(folder) else folder + '/metrics.jsonl') as file:
            losses = [json.loads(line)['is_positive_loss'] for line in file]
        means = [sum(losses[max(0, i - 19):i + 1]) / min(i + 1, 20) for i in range(len(losses))]
        curves.append(means)
        longest, highest = max(longest, len(means)), max(highest, *means)
    groups.append((label, curves))
left, right, top, bottom = 60, 760, 20, 360
svg = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 780 410" font-family="sans-serif" font-size="12">',
       '<rect width="780" height="410" fill="white"/>']
for tick in range(0, 11, 2):
    y = bottom - (bottom - top) * tick / 10
    svg.append(f'<path d="M{left} {y:.1f}H{right}" stroke="#ddd"/><text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">'
               f'{highest * tick / 10:.2f}</text>')
svg.append(f'<text x="{(left + right) / 2}" y="{bottom + 36}" text-anchor="middle">step, 1 to {longest}; mean cross entropy of '
           f'the last 20 steps</text>')
for i, (label, curves) in enumerate(groups):
    colour = ['#d55e00', '#0072b2', '#009e73', '#cc79a7'][i % 4]
    for means in curves:
        points = ' '.join(f'{left + (right - left) * k / max(longest - 1, 1):.1f},{bottom - (bottom - top) * v / highest:.1f}'
                          for k, v in enumerate(means))
        svg.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.2" opacity="0.8"/>')
    svg.append(f'<path d="M{right - 150} {top + 14 + 18 * i}h24" stroke="{colour}" stroke-width="3"/>'
               f'<text x="{right - 120}" y="{top + 18 + 18 * i}">{html.escape(label)}</text>')
svg.append('</svg>')
with open(sys.argv[1], 'w') as file:
    file.write('\n'.join(svg) + '\n')

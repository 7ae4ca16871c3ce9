#!/usr/bin/env python3
"""Draws docs/roofline.svg from docs/roofline.tsv: operations of a training step beside what the machine can do.

    benchmarks/roofline.py [TABLE [PICTURE]]

TABLE: tab-separated lines `operation, milliseconds, GFLOP, megabytes`, and before them `# peak NAME GFLOP/s` for compute and
`# bandwidth GB/s`. Megabytes are what an operation must at least read and write once. Both axes are logarithmic.
"""
import html
import math
import os
import sys

here = os.path.dirname(os.path.abspath(__file__))
table = sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, '..', 'docs', 'roofline.tsv')
picture = sys.argv[2] if len(sys.argv) > 2 else os.path.join(here, '..', 'docs', 'roofline.svg')

peaks, bandwidth, points = [], 0.0, []
for number, line in enumerate(open(table), 1):
    words = line.rstrip('\n').split('\t') if not line.startswith('#') else line[1:].split()
    try:
        if line.startswith('#'):
            if words[:1] == ['peak']:
                peaks.append((' '.join(words[1:-1]), float(words[-1])))
            elif words[:1] == ['bandwidth']:
                bandwidth = float(words[1])
        elif line.strip() and words[0] != 'operation':
            name, milliseconds, gflop, megabytes = words[0], *map(float, words[1:4])
            points.append((name, gflop / (megabytes / 1000), gflop / (milliseconds / 1000)))
    except (ValueError, IndexError):
        sys.exit(f'{table}:{number}: not a line of this table: {line.strip()}')
if not peaks or not bandwidth or not points:
    sys.exit(f'{table}: peaks, bandwidth or operations are missing')

left, right, top, bottom = 70, 690, 30, 400
x_low, x_high = 0.1, 2000
y_low, y_high = 1, 10000


def x_of(intensity):
    return left + (right - left) * math.log(intensity / x_low) / math.log(x_high / x_low)


def y_of(speed):
    return bottom - (bottom - top) * math.log(speed / y_low) / math.log(y_high / y_low)


svg = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 900 450" font-family="sans-serif" font-size="12">',
       '<rect width="900" height="450" fill="white"/>']
for power in range(-1, 4):
    x = x_of(10.0 ** power)
    svg.append(f'<path d="M{x:.1f} {top}V{bottom}" stroke="#ddd"/><text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">'
               f'{10.0 ** power:g}</text>')
for power in range(0, 5):
    y = y_of(10.0 ** power)
    svg.append(f'<path d="M{left} {y:.1f}H{right}" stroke="#ddd"/><text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">'
               f'{10 ** power}</text>')
svg.append(f'<text x="{(left + right) / 2}" y="{bottom + 40}" text-anchor="middle">operations per byte (FLOP / byte)</text>')
svg.append(f'<text transform="translate(18 {(top + bottom) / 2}) rotate(-90)" text-anchor="middle">GFLOP/s, both cores</text>')
for name, peak in peaks:
    knee = max(peak / bandwidth, x_low)
    svg.append(f'<path d="M{x_of(knee):.1f} {y_of(peak):.1f}H{right}" stroke="#333" stroke-width="2"/>'
               f'<text x="{right - 4}" y="{y_of(peak) - 6:.1f}" text-anchor="end">{html.escape(name)}: {peak:g}</text>')
knee = max(peak for _, peak in peaks) / bandwidth
svg.append(f'<path d="M{x_of(x_low):.1f} {y_of(max(bandwidth * x_low, y_low)):.1f}L{x_of(knee):.1f} {y_of(knee * bandwidth):.1f}" '
           f'stroke="#333" stroke-width="2"/><text x="{x_of(0.12):.1f}" y="{y_of(bandwidth * 0.12) - 34:.1f}">memory: '
           f'{bandwidth:g} GB/s</text>')
colours = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#56b4e9', '#e69f00', '#000000', '#7f3c8d', '#b22222', '#4b6a00',
           '#555555', '#008b8b']
for i, (name, intensity, speed) in enumerate(points):
    colour = colours[i % len(colours)]
    svg.append(f'<circle cx="{x_of(intensity):.1f}" cy="{y_of(speed):.1f}" r="5" fill="{colour}"/>')
    svg.append(f'<circle cx="{right + 14}" cy="{top + 8 + 22 * i}" r="5" fill="{colour}"/>'
               f'<text x="{right + 24}" y="{top + 12 + 22 * i}">{html.escape(name)}</text>')
svg.append('</svg>')
with open(picture, 'w') as file:
    file.write('\n'.join(svg) + '\n')

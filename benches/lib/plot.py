"""One kind of picture, as SVG: lines over a logarithmic number of things."""

import math
from html import escape

WIDTH, HEIGHT = 760, 430
LEFT, RIGHT, TOP, BOTTOM = 60, 230, 44, 54
COLOURS = ["#1b6ca8", "#c2571a", "#2e8540", "#7b4ba0", "#8a6d00"]


def growth(title, lines, goal, things="messages in the mailbox"):
    """`lines`: name and (number of things, ratio) of each. The goal is a dashed line."""
    xs = [x for _, points in lines for x, _ in points]
    ys = [y for _, points in lines for _, y in points]
    low = min(0.5, *ys)
    high = max(4.0, *ys) * 1.15
    at_x = lambda x: LEFT + (math.log10(x) - math.log10(min(xs))) / max(
        math.log10(max(xs)) - math.log10(min(xs)), 1e-9) * (WIDTH - LEFT - RIGHT)
    at_y = lambda y: HEIGHT - BOTTOM - (math.log(y) - math.log(low)) / (math.log(high) - math.log(low)) * (
        HEIGHT - TOP - BOTTOM)
    text = lambda x, y, words, more="": f'<text x="{x:.1f}" y="{y:.1f}" {more}>{escape(words)}</text>'
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'font-family="sans-serif" font-size="13" role="img" aria-label="{escape(title)}">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        text(LEFT, 24, title, 'font-size="15" font-weight="bold"'),
    ]
    for y in (0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000):
        if low <= y <= high:
            dash = ' stroke-dasharray="6 4"' if y == goal else ""
            colour = "#b00020" if y == goal else "#dddddd"
            out.append(f'<line x1="{LEFT}" y1="{at_y(y):.1f}" x2="{WIDTH - RIGHT}" y2="{at_y(y):.1f}" '
                       f'stroke="{colour}"{dash}/>')
            out.append(text(LEFT - 8, at_y(y) + 4, f"{y:g}×", 'text-anchor="end"'))
    for x in sorted(set(xs)):
        out.append(f'<line x1="{at_x(x):.1f}" y1="{TOP}" x2="{at_x(x):.1f}" y2="{HEIGHT - BOTTOM}" stroke="#eeeeee"/>')
        out.append(text(at_x(x), HEIGHT - BOTTOM + 20, f"{x:,}", 'text-anchor="middle"'))
    out.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, things, 'text-anchor="middle"'))
    legend = TOP + 10
    for number, (name, points) in enumerate(lines):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(f"{at_x(x):.1f},{at_y(y):.1f}" for x, y in points)
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        out += [f'<circle cx="{at_x(x):.1f}" cy="{at_y(y):.1f}" r="3.5" fill="{colour}"/>' for x, y in points]
        side = WIDTH - RIGHT + 18
        out.append(f'<rect x="{side}" y="{legend - 9}" width="14" height="4" fill="{colour}"/>')
        out.append(text(side + 20, legend, name))
        legend += 22
    out.append(text(WIDTH - RIGHT + 18, legend + 4, f"- - goal: at most {goal}×", 'fill="#b00020"'))
    out.append("</svg>")
    return "\n".join(out) + "\n"

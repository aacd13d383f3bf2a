"""Pictures of numbers, as SVG: lines over two logarithmic axes, and bars in groups."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape

WIDTH, HEIGHT = 760, 440
LEFT, RIGHT, TOP, BOTTOM = 76, 190, 48, 52
COLOURS = ("#1b6ca8", "#d1495b", "#2e933c", "#8d6a9f", "#e58f1d", "#00798c", "#6c757d", "#7a4419")

#: For who likes pages dark; a program that knows no styles shows black on white.
STYLE = ("<style>@media (prefers-color-scheme: dark) { .paper { fill: #131416 } "
         "text { fill: #cccccc } .grid { stroke: #383838 } .ink { filter: brightness(1.4) } }"
         "</style>")

LINES = {"grid": "#dddddd", "tick": "#888888"}

Series = dict[str, dict[float, float]]


def _text(x: float, y: float, words: str, anchor: str = "middle", size: int = 12) -> str:
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">'
            f"{escape(words)}</text>")


def _line(x1: float, y1: float, x2: float, y2: float, kind: str = "grid") -> str:
    return (f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
            f'stroke="{LINES[kind]}"/>')


def _frame(title: str, unit: str, inside: list[str]) -> str:
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
            f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">')
    return "\n".join([head, STYLE,
                      f'<rect class="paper" width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
                      _text(LEFT, 22, title, "start", 15), _text(LEFT, 40, unit, "start", 11),
                      *inside, "</svg>", ""])


def _legend(names: Sequence[str]) -> list[str]:
    out = []
    for n, name in enumerate(names):
        y = TOP + 14 + 20 * n
        out.append(f'<rect class="ink" x="{WIDTH - RIGHT + 14}" y="{y - 9}" width="12" height="12" '
                   f'fill="{COLOURS[n % len(COLOURS)]}"/>')
        out.append(_text(WIDTH - RIGHT + 32, y + 1, name, "start"))
    return out


def _decades(values: Sequence[float], show: Callable[[float], str]
             ) -> tuple[Callable[[float], float], list[str]]:
    """The logarithmic axis at the left: where a value stands, and its lines and words."""
    low = math.floor(math.log10(min(values)))
    high = max(math.ceil(math.log10(max(values))), low + 1)

    def place(value: float) -> float:
        share = (math.log10(value) - low) / (high - low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    out = []
    for power in range(low, high + 1):
        y = place(10.0**power)
        out += [_line(LEFT, y, WIDTH - RIGHT, y), _text(LEFT - 8, y + 4, show(10.0**power), "end")]
    return place, out


def lines(title: str, unit: str, series: Series, show_x: Callable[[float], str],
          show_y: Callable[[float], str]) -> str:
    """A line for each series, over logarithmic axes."""
    every = [value for points in series.values() for value in points.values()]
    xs = sorted({x for points in series.values() for x in points})
    place, out = _decades(every, show_y)

    def across(x: float) -> float:
        share = math.log(x / xs[0]) / (math.log(xs[-1] / xs[0]) or 1)
        return LEFT + 10 + share * (WIDTH - LEFT - RIGHT - 20)

    for x in xs:
        out += [_line(across(x), HEIGHT - BOTTOM, across(x), HEIGHT - BOTTOM + 5, "tick"),
                _text(across(x), HEIGHT - BOTTOM + 20, show_x(x))]
    for n, points in enumerate(series.values()):
        colour = COLOURS[n % len(COLOURS)]
        path = " ".join(f"{across(x):.1f},{place(y):.1f}" for x, y in sorted(points.items()))
        out.append(f'<polyline class="ink" points="{path}" fill="none" stroke="{colour}" '
                   f'stroke-width="2"/>')
        out += [f'<circle class="ink" cx="{across(x):.1f}" cy="{place(y):.1f}" r="3" '
                f'fill="{colour}"/>'
                for x, y in points.items()]
    return _frame(title, unit, out + _legend(list(series)))


def bars(title: str, unit: str, groups: dict[str, dict[str, float]],
         show_y: Callable[[float], str]) -> str:
    """Bars of each series (inner key) in each group (outer key), over a logarithmic axis."""
    names = list(dict.fromkeys(name for group in groups.values() for name in group))
    place, out = _decades([v for group in groups.values() for v in group.values()], show_y)
    broad = (WIDTH - LEFT - RIGHT) / len(groups)
    thick = broad * 0.8 / len(names)
    for g, (label, group) in enumerate(groups.items()):
        begin = LEFT + broad * (g + 0.1)
        out.append(_text(LEFT + broad * (g + 0.5), HEIGHT - BOTTOM + 20, label))
        for n, name in enumerate(names):
            if name in group:
                top = place(group[name])
                out.append(f'<rect class="ink" x="{begin + thick * n:.1f}" y="{top:.1f}" '
                           f'width="{thick:.1f}" height="{HEIGHT - BOTTOM - top:.1f}" '
                           f'fill="{COLOURS[n % len(COLOURS)]}">'
                           f"<title>{escape(f'{name}, {label}: {show_y(group[name])}')}"
                           "</title></rect>")
    return _frame(title, unit, out + _legend(names))

"""Line charts side by side as one SVG: the same file from the same figures, readable on light and dark pages."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

COLOURS = ("#1f6fb4", "#d1610a", "#2c8a3d", "#a0338f", "#6b5b4a")
PANEL_WIDTH, PANEL_HEIGHT = 380, 280
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 48, 46
NUM_TICKS = 5


@dataclass(frozen=True)
class Line:
    """One curve. `marked`: indices of points that are drawn large."""

    name: str
    xs: Sequence[float]
    ys: Sequence[float]
    marked: tuple[int, ...] = ()


@dataclass(frozen=True)
class Panel:
    """One chart; x is logarithmic to base 2, y too where asked. Points above `y_range` are left out."""

    title: str
    x_label: str
    y_label: str
    lines: Sequence[Line]
    y_range: tuple[float, float]
    y_log: bool = False
    x_ticks: Sequence[float] = field(default_factory=tuple)


def draw(panels: Sequence[Panel], num_columns: int = 2) -> str:
    """The panels row by row."""
    num_rows = math.ceil(len(panels) / num_columns)
    width, height = PANEL_WIDTH * num_columns, PANEL_HEIGHT * num_rows
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="12" fill="#222">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for number, panel in enumerate(panels):
        row, column = divmod(number, num_columns)
        parts += [f'<g transform="translate({column * PANEL_WIDTH},{row * PANEL_HEIGHT})">', *_panel(panel), "</g>"]
    return "\n".join([*parts, "</svg>", ""])


def _panel(panel: Panel) -> list[str]:
    right, bottom = PANEL_WIDTH - RIGHT, PANEL_HEIGHT - BOTTOM
    xs = [x for line in panel.lines for x in line.xs]
    low_x, high_x = math.log2(min(xs)), math.log2(max(xs))
    low_y, high_y = (math.log2(y) if panel.y_log else y for y in panel.y_range)

    def place_x(x: float) -> float:
        return LEFT + (math.log2(x) - low_x) / (high_x - low_x) * (right - LEFT)

    def place_y(y: float) -> float:
        return bottom - ((math.log2(y) if panel.y_log else y) - low_y) / (high_y - low_y) * (bottom - TOP)

    parts = [_text((LEFT + right) / 2, 18, panel.title, "middle", 'font-weight="bold"')]
    for step in range(NUM_TICKS):
        y = low_y + (high_y - low_y) * step / (NUM_TICKS - 1)
        y = 2**y if panel.y_log else y
        parts.append(f'<path d="M{LEFT} {place_y(y):.1f}H{right}" stroke="#ddd"/>')
        parts.append(_text(LEFT - 6, place_y(y) + 4, f"{y:.3g}", "end"))
    for x in panel.x_ticks or sorted(set(xs)):
        parts.append(f'<path d="M{place_x(x):.1f} {bottom}v4" stroke="#222"/>')
        parts.append(_text(place_x(x), bottom + 17, _short(x), "middle"))
    parts.append(_text((LEFT + right) / 2, bottom + 36, panel.x_label, "middle"))
    middle = (TOP + bottom) / 2
    parts.append(_text(14, middle, panel.y_label, "middle", f'transform="rotate(-90 14 {middle})"'))
    for number, line in enumerate(panel.lines):
        colour = COLOURS[number % len(COLOURS)]
        shown = [
            (place_x(x), place_y(y), number in line.marked)
            for number, (x, y) in enumerate(zip(line.xs, line.ys, strict=True))
            if math.isfinite(y) and y <= panel.y_range[1]
        ]
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in shown)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.8"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{5 if big else 2}" fill="{colour}"/>' for x, y, big in shown]
        at = LEFT + number * (right - LEFT) / len(panel.lines)
        parts.append(f'<path d="M{at:.1f} 34h16" stroke="{colour}" stroke-width="3"/>')
        parts.append(_text(at + 20, 38, line.name, "start"))
    return parts


def _text(x: float, y: float, text: str, anchor: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {more}>{escape(text)}</text>'


def _short(x: float) -> str:
    return f"{x:g}" if x >= 1 else f"{x:.2g}".removeprefix("0")

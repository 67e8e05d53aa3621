"""Shorter forms of what matplotlib draws in SVG: circles, many equal dots, and numbers of paths."""

from __future__ import annotations

import math
import re
from xml.etree.ElementTree import Element

__all__ = ["join_dots", "shorten_path", "with_circles"]

_DOT = {"x", "y", "href", "class"}  # what a dot has, and nothing else
MANY = 8  # equal dots, from which they become one path
_NUMBER = re.compile(r"-?[\d.]+")
_AROUND_LETTER = re.compile(r"\s*([A-Za-z])\s*")
_ENDING_ZERO = re.compile(r"(\.\d*?)0+(?!\d)")


def shorten_path(path: str) -> str:
    """The same path without spaces around its letters and zeros at the ends of its numbers."""
    path = _ENDING_ZERO.sub(lambda m: m[1] if m[1] != "." else "", path)
    return _AROUND_LETTER.sub(r"\1", path).strip()


def with_circles(root: Element) -> None:
    """Replace paths of eight curves that form a circle by circles."""
    for element in root.iter("path"):
        if (found := _circle(element.get("d", ""))) is None:
            continue
        del element.attrib["d"]
        element.tag = "circle"
        for key, value in zip(("cx", "cy", "r"), found, strict=True):
            element.set(key, f"{value:.2f}".rstrip("0").rstrip("."))


def _circle(path: str) -> tuple[float, float, float] | None:
    """Centre and radius, None where the path is no circle."""
    if path.count("C") != 8 or re.search("[^MCLZz0-9. \\-]", path):
        return None
    numbers = [float(n) for n in _NUMBER.findall(path)]
    # Between two ends of a curve stand its two control points.
    ends = [(numbers[i], numbers[i + 1]) for i in range(0, 50, 6)]
    x, y = (sum(values) / 8 for values in zip(*ends[:8], strict=True))
    distances = [math.hypot(a - x, b - y) for a, b in ends]
    radius = sum(distances) / len(distances)
    if max(abs(d - radius) for d in distances) > max(0.02 * radius, 0.02):
        return None
    return x, y, radius


def join_dots(root: Element, prefix: str) -> list[Element]:
    """Replace many equal dots of a group by one path with a marker at every dot.

    ``prefix``: of the markers' names. Returns the markers, which have to stand in the figure.
    """
    markers: dict[tuple[str, str | None], Element] = {}
    for group in root.iter("g"):
        for run in _runs(group):
            dot = run[0]
            look = dot.get("class") or group.get("class")
            key = (dot.get("href"), look)
            if key not in markers:
                markers[key] = _marker(f"{prefix}-d{len(markers)}", *key)
            places = "L".join(f"{use.get('x')} {use.get('y')}" for use in run)
            address = f"url(#{markers[key].get('id')})"
            style = {"d": f"M{places}", "fill": "none", "stroke": "none"}
            ends = dict.fromkeys(("marker-start", "marker-mid", "marker-end"), address)
            at = list(group).index(dot)
            for use in run:
                group.remove(use)
            group.insert(at, Element("path", style | ends))
    return list(markers.values())


def _runs(group: Element) -> list[list[Element]]:
    """Neighbouring dots of one look, where there are many."""
    runs: list[list[Element]] = [[]]
    for child in group:
        plain = child.tag == "use" and {"x", "y", "href"} <= set(child.keys()) <= _DOT
        if not plain:
            runs.append([])
            continue
        before = runs[-1][-1] if runs[-1] else None
        if before is not None and any(before.get(k) != child.get(k) for k in ("href", "class")):
            runs.append([])
        runs[-1].append(child)
    return [run for run in runs if len(run) >= MANY]


def _marker(name: str, shape: str, look: str | None) -> Element:
    marker = Element("marker", {"id": name, "overflow": "visible", "markerUnits": "userSpaceOnUse"})
    marker.append(Element("use", {"href": shape} | ({"class": look} if look else {})))
    return marker

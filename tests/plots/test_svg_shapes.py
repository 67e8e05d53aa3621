"""Shorter forms of shapes look the same: circles, equal dots, paths."""

from xml.etree import ElementTree

import pytest
from matplotlib.path import Path as Outline

from dvelib.plots.svg_shapes import MANY, join_dots, shorten_path, with_circles


def curves(outline, move=0.0):
    """The outline as matplotlib writes it, moved to the right."""
    letters = {1: "M", 2: "L", 4: "C", 79: "Z"}
    parts = [
        letters[code] + " " + " ".join(f"{v + move * (i % 2 == 0):.3f}" for i, v in enumerate(xy))
        for xy, code in outline.iter_segments()
    ]
    return " ".join(parts)


def svg(inner):
    return ElementTree.fromstring(f"<svg>{inner}</svg>")


def test_a_circle_is_found():
    root = svg(f'<path d="{curves(Outline.circle(radius=3.0), 5)}" class="v1"/>')
    with_circles(root)
    assert root[0].tag == "circle"
    found = [float(root[0].get(key)) for key in ("cx", "cy", "r")]
    assert found == pytest.approx([5, 0, 3], abs=0.01) and root[0].get("class") == "v1"


@pytest.mark.parametrize("path", ["M 0 0 L 1 1", "", curves(Outline.unit_rectangle())])
def test_other_paths_stay(path):
    root = svg(f'<path d="{path}"/>')
    with_circles(root)
    assert root[0].tag == "path" and root[0].get("d") == path


def test_paths_keep_their_numbers():
    assert shorten_path("M 10.00 -2.50 L 0 100 z") == "M10 -2.5L0 100z"


class TestJoinDots:
    def dots(self, count, href="#m", look='class="v1"'):
        return "".join(f'<use x="{i}" y="2" href="{href}" {look}/>' for i in range(count))

    def test_many_equal_dots_become_one_path_with_a_place_for_each(self):
        root = svg(f"<g>{self.dots(MANY)}</g>")
        (marker,) = join_dots(root, "f")
        (path,) = root[0]
        assert path.get("d").replace("M", "L").split("L")[1:] == [f"{i} 2" for i in range(MANY)]
        assert path.get("marker-mid") == f"url(#{marker.get('id')})"
        assert marker[0].attrib == {"href": "#m", "class": "v1"}

    def test_the_look_of_the_group_goes_to_the_marker(self):
        root = svg(f'<g class="v7">{self.dots(MANY, look="")}</g>')
        (marker,) = join_dots(root, "f")
        assert marker[0].get("class") == "v7"

    def test_dots_of_two_looks_are_two_paths_in_their_order(self):
        root = svg(f"<g>{self.dots(MANY)}{self.dots(MANY, '#n')}</g>")
        assert [marker[0].get("href") for marker in join_dots(root, "f")] == ["#m", "#n"]
        assert len(root[0]) == 2

    @pytest.mark.parametrize("look", ['class="v1"', 'transform="scale(2)"'])
    def test_few_dots_and_other_uses_stay(self, look):
        count = MANY - 1 if "class" in look else MANY
        root = svg(f"<g>{self.dots(count, look=look)}</g>")
        assert join_dots(root, "f") == [] and len(root[0]) == count

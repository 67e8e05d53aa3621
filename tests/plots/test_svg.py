"""A figure on a page is SVG: unique names, two colour schemes, pictures once, and a narrow form."""

import re

import numpy as np
import pytest
from matplotlib.figure import Figure

from dvelib.plots.narrow import NARROW, can_be_narrow, make_narrow
from dvelib.plots.parts import chart_axes, draw
from dvelib.plots.svg import PIXELS_PER_INCH, figure_html, figure_svg
from tests.executed_pages import parse

LABELS = ["SmallNet 3-d without exchange", "SmallNet 3-d with exchange"]


def chart():
    figure, axes = chart_axes(2, 9.6, 3)
    for axis in axes:
        axis.scatter([1, 2], [0, 1], color="0.25", label="a <script> & more")
        axis.set_yticks([0, 1], LABELS)
    figure.legend(handles=axes[0].get_legend_handles_labels()[0])
    return figure


def pictures(count=3):
    figure = Figure(figsize=(6, 2))
    for axis in figure.subplots(1, count):
        draw(axis, np.full((8, 8, 3), 200, np.uint8))
        axis.scatter([1, 2], [3, 4], color="black")
        axis.set_title("same-identity")
    return figure


def rules(svg, scheme):
    """The style rules of a scheme, by class."""
    light, _, dark = parse(svg).style.text.partition("@media(prefers-color-scheme:dark)")
    found = re.findall(r"\.(v\d+)\{([^}]*)\}", light if scheme == "light" else dark)
    return dict(found)


class TestSvg:
    def test_has_the_size_of_the_figure(self):
        svg = parse(figure_svg(chart())).svg
        assert int(svg["width"]) == pytest.approx(9.6 * PIXELS_PER_INCH, rel=0.1)

    def test_text_is_text_and_escaped(self):
        svg = figure_svg(chart())
        assert "a <script> & more" in [text.text for text in parse(svg).find_all("text")]
        assert "<script>" not in svg

    def test_greys_are_turned_on_a_dark_page(self):
        svg = figure_svg(chart())
        light, dark = rules(svg, "light"), rules(svg, "dark")
        (name,) = [name for name, style in light.items() if "fill:#404040" in style]
        level = int(re.search(r"fill:#(..)", dark[name])[1], 16)
        assert level > 0x80

    def test_marks_on_pictures_keep_their_colours(self):
        svg = figure_svg(pictures())
        groups = [g for g in parse(svg).find_all("g") if g.find("use", href=re.compile("-i0$"))]
        classes = {c for use in groups[-1].find_all("use") for c in use.get("class", [])}
        assert classes and not classes & rules(svg, "dark").keys()

    def test_equal_pictures_are_held_once(self):
        svg = parse(figure_svg(pictures()))
        (image,) = svg.find_all("image")
        assert image["href"].startswith("data:image/webp;base64,")
        assert len(svg.find_all("use", href=f"#{image['id']}")) == 3

    def test_names_of_two_figures_differ_and_all_are_defined(self):
        one, two = (parse(figure_svg(f)) for f in (chart(), pictures()))
        names = [{tag["id"] for tag in svg.find_all(id=True)} for svg in (one, two)]
        assert not names[0] & names[1]
        for svg, known in zip((one, two), names, strict=True):
            used = re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', str(svg))
            assert {a or b for a, b in used} <= known

    def test_is_the_same_each_time(self):
        assert figure_svg(chart()) == figure_svg(chart())


class TestNarrow:
    def test_charts_have_a_narrow_form_and_pictures_none(self):
        assert can_be_narrow(chart()) and not can_be_narrow(pictures())
        page = parse(figure_html(chart(), "An <alt>", "A caption"))
        assert page.select_one("[role=img]")["aria-label"] == "An <alt>"
        wide, narrow = (page.select_one(f".{form} > svg") for form in ("wide", "narrow"))
        assert int(narrow["width"]) < 0.6 * int(wide["width"])
        assert [div["class"] for div in parse(figure_html(pictures(), "x")).select(".drawing > *")]

    def test_panels_stand_in_a_column_with_their_labels(self):
        figure = chart()
        make_narrow(figure)
        figure.draw_without_rendering()
        first, second = (axis.get_position() for axis in figure.axes)
        assert figure.get_figwidth() == NARROW and second.y1 < first.y0
        for axis in figure.axes:
            labels = [label.get_text() for label in axis.get_yticklabels() if label.get_visible()]
            assert [label.replace("\n", " ") for label in labels] == LABELS
        assert len(figure.legends) == 1

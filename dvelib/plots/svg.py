"""A figure as SVG that stands in an HTML page: sharp at every size, and dark where the page is.

Text stays text. Grey lines and text have two colours, one for light pages and one for dark ones.
Pictures inside the figure keep their own pixels and their colours, and so do the marks on them.
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
from collections.abc import Iterator
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

from dvelib.common.markup import fill
from dvelib.common.pictures import webp
from dvelib.plots.narrow import can_be_narrow, make_narrow
from dvelib.plots.svg_shapes import join_dots, shorten_path, with_circles

__all__ = ["PIXELS_PER_INCH", "figure_html", "figure_svg"]

PIXELS_PER_INCH = 100  # CSS pixels of a page
PICTURE = "picture"
MARK = 400  # letters: a longer path is no mark but a line, and a tenth of a point is enough for it
_SETTINGS = {"svg.fonttype": "none", "svg.hashsalt": "figure", "image.composite_image": False}
_NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))
# Grey on a light page and on a dark one; values between are interpolated.
_INK, _GROUND = 0xE6, 0x17
_GREY = re.compile(r"#([0-9a-f]{2})\1\1\b")
_REFERENCE = re.compile(r"url\(#([^)]+)\)|^#(.+)$")
_LONG_NUMBER = re.compile(r"(\.\d\d)\d+")
_COORDINATE = re.compile(r"(\.\d)\d+")
_NAMESPACE = re.compile(r"^\{[^}]*\}")


def figure_html(figure: Figure, alt: str, caption: str | None = None) -> str:
    """The figure as an HTML ``<figure>``: a chart in a wide and a narrow form, for phones.

    ``alt``: a description for readers who cannot see it. The figure may be laid out anew.
    """
    drawings = [figure_svg(figure)]
    if can_be_narrow(figure):
        make_narrow(figure)
        drawings.append(figure_svg(figure))
    forms = ("wide", "narrow") if len(drawings) == 2 else ("only",)
    shown = [(form, Markup(svg)) for form, svg in zip(forms, drawings, strict=True)]
    return fill("drawing", drawings=shown, alt=alt, caption=caption)


def figure_svg(figure: Figure) -> str:
    """The figure as one ``<svg>`` element, for the body of an HTML page.

    Its size is that of the figure with `PIXELS_PER_INCH`. Names and classes inside it begin with a
    hash of its content, so that several figures can stand on one page.
    """
    for axis in figure.axes:
        if axis.images:
            axis.set_gid(f"{PICTURE}-{id(axis)}")
        for mesh in axis.collections:
            if isinstance(mesh, QuadMesh):  # the steps of a colour bar
                mesh.set_rasterized(True)
    buffer = io.StringIO()
    with rc_context(_SETTINGS):
        look = {"bbox_inches": "tight", "pad_inches": 0.05, "facecolor": "none"}
        figure.savefig(buffer, format="svg", dpi=200, metadata=_NO_METADATA, **look)
    drawn = buffer.getvalue()
    name = "f" + hashlib.sha256(drawn.encode()).hexdigest()[:6]
    return _Cleaner(ElementTree.fromstring(drawn), name).svg()


class _Cleaner:
    """Rewrites matplotlib's SVG in place: short, unique names, classes, two colour schemes."""

    def __init__(self, root: Element, name: str) -> None:
        self.root, self.name = root, name
        self.classes: dict[tuple[str, bool], str] = {}
        self.images: dict[tuple[str, ...], str] = {}
        self.names: dict[str, str] = {}
        self.definitions = Element("defs")

    def svg(self) -> str:
        _drop_namespaces(self.root)
        for child in list(self.root):
            if child.tag == "metadata" or child.find("style") is not None:
                self.root.remove(child)
        used = set(self._references())
        self._clean(self.root, used, inside_picture=False)
        with_circles(self.root)
        for element in self.root.iter("path"):
            element.set("d", shorten_path(element.get("d")))
        self.definitions.extend(join_dots(self.root, self.name))
        width, height = (float(self.root.get("viewBox").split()[i]) for i in (2, 3))
        pixels = PIXELS_PER_INCH / 72
        self.root.attrib = {
            "class": f"drawn {self.name}",
            "viewBox": f"0 0 {width:g} {height:g}",
            "width": f"{width * pixels:.0f}",
            "height": f"{height * pixels:.0f}",
        }
        style = Element("style")
        style.text = self._rules()
        self.root.insert(0, style)
        if len(self.definitions):
            self.root.insert(1, self.definitions)
        return ElementTree.tostring(self.root, encoding="unicode").replace(" />", "/>")

    def _references(self) -> Iterator[str]:
        for element in self.root.iter():
            for value in element.attrib.values():
                for found in _REFERENCE.finditer(value):
                    yield found[1] or found[2]

    def _clean(self, element: Element, used: set[str], inside_picture: bool) -> None:
        name = element.get("id", "")
        inside_picture = inside_picture or name.startswith(f"{PICTURE}-")
        if name and name not in used:
            del element.attrib["id"]
        if element.tag == "image":
            self._share_image(element)
        keeps_colours = inside_picture and element.tag != "text"
        for key, value in list(element.attrib.items()):
            element.set(key, self._value(key, value))
        if style := element.attrib.pop("style", None):
            element.set("class", self._class(style, keeps_colours))
        elif keeps_colours and name.startswith(PICTURE):
            element.set("class", self._class("fill: #000000", True))
        for child in list(element):
            self._clean(child, used, inside_picture)
        self._join_lines(element)
        self._lift_class(element)
        element.tail = None
        if element.text and not element.text.strip():
            element.text = None

    def _join_lines(self, element: Element) -> None:
        """Join neighbouring lines of one look into one path."""
        looks = {name: style for (style, _), name in self.classes.items()}
        before = None
        for child in list(element):
            same = before is not None and child.tag == before.tag == "path"
            rest = [{**e.attrib, "d": ""} for e in (before, child) if e is not None]
            if same and rest[0] == rest[1] and "fill:none" in looks.get(child.get("class"), ""):
                before.set("d", f"{before.get('d')} {child.get('d')}")
                element.remove(child)
            else:
                before = child

    def _lift_class(self, element: Element) -> None:
        """Give the class that all children share to their group instead."""
        shared = {child.get("class") for child in element}
        lifts = element.tag == "g" and len(element) > 1 and not element.get("class")
        if not lifts or len(shared) != 1 or None in shared:
            return
        (name,) = shared
        style = next(style for (style, _), known in self.classes.items() if known == name)
        # An opacity of a group is another than that of each of its members.
        if all(part.startswith(("fill:", "stroke")) for part in style.split(";") if part):
            element.set("class", name)
            for child in element:
                del child.attrib["class"]

    def _value(self, key: str, value: str) -> str:
        if key in ("x", "y") or key == "d" and len(value) > MARK:
            return " ".join(_COORDINATE.sub(r"\1", value).split())
        if key in ("d", "width", "height"):
            return " ".join(_LONG_NUMBER.sub(r"\1", value).split())
        if key == "id":
            return self._short(value)
        if key in ("href", "clip-path", "style"):
            return _REFERENCE.sub(
                lambda m: f"url(#{self._short(m[1])})" if m[1] else f"#{self._short(m[2])}", value
            )
        return value

    def _short(self, name: str) -> str:
        if name.startswith(f"{self.name}-"):
            return name
        return self.names.setdefault(name, f"{self.name}-{len(self.names)}")

    def _class(self, style: str, keeps_colours: bool) -> str:
        style = re.sub(r"\s*([:;])\s*", r"\1", _LONG_NUMBER.sub(r"\1", style))
        style = re.sub(r"font:([\d.]+px)[^;]*", r"font-size:\1", style)
        found = self.classes.setdefault((style, keeps_colours), f"v{len(self.classes)}")
        return found

    def _share_image(self, element: Element) -> None:
        """Hold equal pictures once, as WebP, and use them where they stand."""
        data = base64.b64decode(element.attrib.pop("href").partition(",")[2])
        sizes = {key: element.attrib.pop(key) for key in ("width", "height")}
        address = webp(data)
        key = (address, *sizes.values())
        if key not in self.images:
            self.images[key] = f"{self.name}-i{len(self.images)}"
            values = {"id": self.images[key], "href": address, **sizes}
            values["image-rendering"] = "pixelated"  # the cells of a map have edges
            if "preserveAspectRatio" in element.attrib:
                values["preserveAspectRatio"] = element.get("preserveAspectRatio")
            self.definitions.append(Element("image", values))
        element.tag = "use"
        element.attrib.pop("id", None)
        element.set("href", f"#{self.images[key]}")

    def _rules(self) -> str:
        base = f".{self.name}"
        light = [
            f"{base}{{max-width:100%;height:auto;fill:#000;stroke-linejoin:round}}",
            f"{base} text{{font-family:inherit}}",
        ]
        dark = [f"{base},{base} text{{fill:{_darkened('#000000')}}}"]
        for (style, keeps_colours), name in self.classes.items():
            light.append(f"{base} .{name}{{{style}}}")
            turned = _GREY.sub(lambda m: _darkened(m[0]), style)
            if turned != style and not keeps_colours:
                dark.append(f"{base} .{name}{{{turned}}}")
        return "".join([*light, "@media(prefers-color-scheme:dark){", *dark, "}"])


def _drop_namespaces(root: Element) -> None:
    for element in root.iter():
        element.tag = _NAMESPACE.sub("", element.tag)
        for key in list(element.attrib):
            plain = _NAMESPACE.sub("", key)
            if plain != key:
                element.set(plain, element.attrib.pop(key))


def _darkened(grey: str) -> str:
    """The grey ``#rrggbb`` for a dark page."""
    share = int(grey[1:3], 16) / 255
    level = round(_INK + share * (_GROUND - _INK))
    return f"#{level:02x}{level:02x}{level:02x}"

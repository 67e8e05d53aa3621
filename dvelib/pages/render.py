"""Turn executed notebooks into HTML pages that need no other file and no network.

A page holds its style and its figures, and its equations are MathML. A content security policy in
the page forbids the browser to load anything else.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from markupsafe import Markup

from dvelib.common.markup import TEMPLATES, duration, fill, whole_words
from dvelib.common.pictures import webp

if TYPE_CHECKING:
    from nbconvert import HTMLExporter

__all__ = [
    "CLAIMS",
    "INDEX",
    "NUMBERS",
    "Around",
    "Converted",
    "convert_notebook",
    "equation",
    "links",
    "page_of",
    "render",
    "stripped",
]

INDEX, CLAIMS, NUMBERS = "index.html", "claims.html", "results.csv"
# Every page of a site links to these: address, then words.
_NAVIGATION = {INDEX: "All tables", CLAIMS: "Claims", NUMBERS: "Numbers (CSV)"}
_HEADING = re.compile(r"<h1[^>]*>(.*?)</h1>", re.DOTALL)
_PNG = re.compile(r"data:image/png;base64,([A-Za-z0-9+/=]+)")
_SECTION = re.compile(r"<h2>(.*?)</h2>", re.DOTALL)


@dataclass(frozen=True)
class Around:
    """What a site adds to a page; all addresses are seen from the page.

    ``claims``: the paper's claims that the page's numbers test, each with address, sentence and
    verdict. ``before`` and ``after``: title and address of the neighbouring pages. ``embeddings``:
    names and addresses. ``download``: address of the notebook.
    """

    claims: Sequence[dict] = ()
    before: tuple[str, str] | None = None
    after: tuple[str, str] | None = None
    embeddings: Sequence[tuple[str, str]] = ()
    download: str | None = None


def render(notebook: Path, *, home: str | None = f"../{INDEX}", around: Around = Around()) -> str:
    """The HTML page of an executed notebook.

    ``home``: the address of the site's index, seen from the page; None for a page without a site.
    """
    return page_of(convert_notebook(notebook), home, around)


def stripped(notebook: Path) -> str:
    """An executed notebook without its outputs, to be executed again with the same parameters."""
    import nbformat

    document = nbformat.read(notebook, as_version=4)
    for cell in document.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return nbformat.writes(document)


def links(home: str | None, here: str | None = None) -> list[dict]:
    """The links of a page to its site: address, words, and whether the link leads to itself.

    ``home``: as in `render`; ``here``: the file name of the page, if it is one of those linked.
    """
    if home is None:
        return []
    folder = home.removesuffix(INDEX)
    return [
        {"address": folder + name, "words": words, "current": name == here}
        for name, words in _NAVIGATION.items()
    ]


class Converted(NamedTuple):
    """An executed notebook as HTML: its title, its body, and when it was executed."""

    title: str
    body: str
    executed: str


def convert_notebook(notebook: Path) -> Converted:
    """An executed notebook as HTML, which `page_of` makes a page of."""
    import nbformat

    document = nbformat.read(notebook, as_version=4)
    body, _ = _exporter().from_notebook_node(document)
    body = _PNG.sub(lambda m: min(m[0], webp(base64.b64decode(m[1])), key=len), body)
    heading = _HEADING.search(body)
    title = Markup(heading[1]).striptags() if heading else _title(notebook)
    return Converted(title, body, _execution(document.metadata.get("papermill", {})))


def page_of(converted: Converted, home: str | None, around: Around = Around()) -> str:
    """The HTML page of a converted notebook; arguments as in `render`."""
    body, heading = converted.body, _HEADING.search(converted.body)
    # What stands before the title says how to run the notebook: on a page it comes last.
    before, body = (body[: heading.start()], body[heading.start() :]) if heading else ("", body)
    body = _HEADING.sub(lambda m: f"<h1>{whole_words(Markup(m[1]))}</h1>", body, count=1)
    contents = [Markup(words).striptags() for words in _SECTION.findall(body)]
    numbers = count(1)
    body = _SECTION.sub(lambda m: f'<h2 id="section-{next(numbers)}">{m[1]}</h2>', body)
    # The finding and its figure stand before the first section; the contents follow them.
    opening, mark, rest = body.partition("<h2 id=")
    return fill(
        "page",
        title=converted.title,
        has_heading=bool(heading),
        opening=Markup(opening),
        rest=Markup(mark + rest),
        before=Markup(before),
        contents=contents,
        around=around,
        links=links(home),
        executed=converted.executed,
    )


@cache
def _exporter() -> HTMLExporter:
    from nbconvert import HTMLExporter
    from traitlets.config import Config

    # Only static forms of an output: a page has no kernel for widgets and allows no scripts.
    shown = [
        "text/html",
        "text/markdown",
        "image/svg+xml",
        "image/png",
        "image/jpeg",
        "text/latex",
        "text/plain",
    ]
    return HTMLExporter(
        config=Config({"NbConvertBase": {"display_data_priority": shown}}),
        extra_template_basedirs=[str(TEMPLATES)],
        template_name="page",
        filters={"markdown2html": _markdown},
    )


def _markdown(source: str) -> str:
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    renderer = IPythonRenderer(escape=False, exclude_anchor_links=True)
    renderer.inline_math = _mathml
    renderer.block_math = partial(_mathml, display="block")
    renderer.latex_environment = _environment_mathml
    return MarkdownWithMath(renderer).render(source)


def equation(latex: str) -> str:
    """LaTeX as MathML on a line of its own."""
    return _mathml(latex, "block")


def _mathml(latex: str, display: str = "inline") -> str:
    from latex2mathml.converter import convert

    markup = convert(latex.strip(), display=display)
    return f'<span class="equation">{markup}</span>' if display == "block" else markup


def _environment_mathml(name: str, body: str) -> str:
    return equation(f"\\begin{{{name}}}{body}\\end{{{name}}}")


def _title(notebook: Path) -> str:
    return notebook.resolve().parent.name.replace("_", " ").capitalize()


def _execution(papermill: dict) -> str:
    """The day and the duration of papermill's run; empty where the notebook does not hold them."""
    if not papermill.get("end_time") or not papermill.get("duration"):
        return ""
    return f"{papermill['end_time'][:10]}, in {duration(papermill['duration'])}"

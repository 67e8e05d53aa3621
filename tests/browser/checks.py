"""Opening pages in a real browser with no network, and saying all that is wrong with them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
WIDE, PHONE, HEIGHT = 1280, 360, 800  # CSS pixels
SCHEMES = ("light", "dark")
LOCAL = ("file:", "data:", "blob:", "about:")
# What a page says of itself, once all of its details are open.
FACTS = """() => {
  document.querySelectorAll("details").forEach(details => details.open = true);
  const images = [...document.images];
  const name = image => image.alt || image.outerHTML.slice(0, 80);
  const root = document.documentElement;
  return {
    broken: images.filter(image => !image.complete || !image.naturalWidth).map(name),
    silent: [
      ...images.filter(image => !image.alt.trim()),
      ...[...document.querySelectorAll("svg")]
        .filter(svg => !svg.closest("[aria-label], [aria-labelledby]")),
    ].map(name),
    headings: [...document.querySelectorAll("h1,h2,h3,h4,h5,h6")].map(h => +h.tagName[1]),
    landmarks: ["header", "main", "footer"].filter(n => document.querySelectorAll(n).length != 1),
    captions: [...document.querySelectorAll("table:not(:has(caption))")].length,
    scopes: [...document.querySelectorAll("th:not([scope])")].length,
    language: root.lang, title: document.title,
    background: getComputedStyle(document.body).backgroundColor,
    width: root.scrollWidth, seen: root.clientWidth,
  };
}"""


def find_browser() -> str:
    """Chromium as the system has it; skips the test where it has none."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is installed")
    return found


@contextmanager
def running_browser() -> Iterator:
    sync = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def opened(browser, page: Path, *, scheme: str = "light", width: int = WIDE) -> Iterator[tuple]:
    """The page in a window of its own, and the list of what it asked for or complained about."""
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": HEIGHT})
    context.set_offline(True)
    complaints: list[str] = []
    context.route(lambda address: not address.startswith(LOCAL), lambda route: route.abort())
    window = context.new_page()
    window.on("request", lambda r: r.url.startswith(LOCAL) or complaints.append(f"asks {r.url}"))
    window.on("console", lambda m: m.type == "error" and complaints.append(f"says {m.text}"))
    window.on("pageerror", lambda error: complaints.append(f"fails: {error}"))
    window.goto(page.resolve().as_uri(), wait_until="load")
    yield window, complaints
    context.close()


def problems(browser, page: Path) -> list[str]:
    """What is wrong with a page, light and dark, on a screen and on a phone; empty where nothing.

    It asks the network for something or reports an error; an image is broken or has no text
    alternative; a heading skips a level, or there is not one of the first; a landmark of the page
    or a caption or a scope of a table is missing; a phone has to scroll sideways; dark is light.
    """
    found, backgrounds = [], set()
    with opened(browser, page) as (window, complaints):
        for scheme in SCHEMES:
            for width in (WIDE, PHONE):
                window.emulate_media(color_scheme=scheme)
                window.set_viewport_size({"width": width, "height": HEIGHT})
                facts = window.evaluate(FACTS)
                backgrounds.add(facts["background"])
                found += [f"{scheme}, {width} px: {fault}" for fault in _faults(facts)]
        found += complaints
    if len(backgrounds) != len(SCHEMES):
        found.append("dark and light have the same background")
    return [f"{page.name}: {fault}" for fault in found]


def _faults(facts: dict) -> Iterator[str]:
    for fault in ("broken", "silent"):
        yield from (f"{fault} image {name}" for name in facts[fault])
    headings = facts["headings"]
    if headings.count(1) != 1 or headings[0] != 1:
        yield f"headings {headings} do not begin with the only h1"
    if any(after > before + 1 for before, after in zip(headings, headings[1:], strict=False)):
        yield f"headings {headings} skip a level"
    if facts["landmarks"]:
        yield f"not one each of {facts['landmarks']}"
    if facts["captions"] or facts["scopes"]:
        yield f"{facts['captions']} tables without caption, {facts['scopes']} th without scope"
    if not facts["language"] or not facts["title"]:
        yield "no language or no title"
    if facts["width"] > facts["seen"]:
        yield f"{facts['width']} px wide in a window of {facts['seen']}"

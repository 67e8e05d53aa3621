"""Commands that measure: how well an embedding matches points, and what the computation costs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from dvelib.checkpoints.pretrained import EMBEDDINGS
from dvelib.cli.options import Data, Device, Limit, Published
from dvelib.common.files import ROOT, atomic_path

__all__ = ["bench", "match"]

Embedding = Annotated[
    Path,
    Parameter(
        help="folder of an embedding, a published .pth file, or the name of a pretrained one "
        f"({', '.join(EMBEDDINGS)})"
    ),
]


def match(
    embedding: Embedding,
    *,
    on: str = "mafl",
    data: Data = None,
    published: Published = None,
    limit: Limit = None,
    device: Device = "auto",
) -> None:
    """Measure how well an embedding matches points, by the published protocol and others.

    Args:
        on: dataset whose test faces are matched: mafl, 300w, aflw, aflw-mtfl or synthetic
    """
    from dvelib.recipes import match, open_embedding

    opened = open_embedding(embedding, published, device)
    print(f"{opened.spec.label} on {on}: mean error, pixels of a 70-pixel face")
    print(match(opened, on, data, limit).round(2).to_string())


def bench(
    *,
    device: Device = "auto",
    repeats: int = 5,
    out: Path | None = None,
    small: bool = False,
    publish: bool = False,
) -> None:
    """Measure time and memory of each part beside a straightforward form of the same formula.

    Args:
        repeats: timings of each form
        out: folder of the results (default: outputs/benchmark, in the checkout)
        small: tiny problems, to see that it runs
        publish: also copy the results into the files under git
    """
    from dvelib.pages.execute import execute
    from dvelib.pages.publish import publish_benchmark
    from dvelib.pages.render import render

    folder = (out or ROOT / "outputs" / "benchmark").expanduser().resolve()
    parameters = {"device": device, "repeats": repeats, "small": small, "outputs": str(folder)}
    page = folder / "page.ipynb"
    execute(ROOT / "notebooks" / "benchmark.ipynb", parameters, page)
    with atomic_path(page.with_suffix(".html")) as temporary:
        temporary.write_text(render(page, home=None))
    print(f"the benchmark is at {page.with_suffix('.html')}")
    if publish:
        print(f"published in {publish_benchmark(folder)}")

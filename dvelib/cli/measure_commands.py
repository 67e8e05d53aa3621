"""Commands that measure: how well an embedding matches points, and what the computation costs."""

from __future__ import annotations

from pathlib import Path

from dvelib.cli.options import (
    AnyDescriber,
    Crop,
    Data,
    Device,
    Limit,
    Published,
    Size,
    Weights,
    need_checkout,
)
from dvelib.common.files import ROOT, atomic_path, outputs_folder

__all__ = ["bench", "match"]


def match(
    embedding: AnyDescriber,
    *,
    on: str = "mafl",
    data: Data = None,
    published: Published = None,
    weights: Weights = None,
    limit: Limit = None,
    size: Size = None,
    crop: Crop = None,
    device: Device = "auto",
) -> None:
    """Measure how well descriptors match points, by the published protocol and others.

    Args:
        on: dataset whose test faces are matched: mafl, 300w, aflw, aflw-mtfl or synthetic
    """
    from dvelib.describers import title_of
    from dvelib.recipes import match, open_embedding

    opened = open_embedding(embedding, published, device, weights=weights)
    print(f"{title_of(opened)} on {on}: mean error, pixels of a 70-pixel face")
    print(match(opened, on, data, limit, size=size, crop=crop).round(2).to_string())


def describers() -> None:
    """List the describers that come along, and what each needs."""
    from dvelib.describers import known_describers

    for name, known in known_describers().items():
        needs = [f"--weights: {known.weights}"] if known.weights else []
        if known.missing:
            needs.append(f"missing: {', '.join(known.missing)}")
        print(f"{name}: {known.about}" + (f" ({'; '.join(needs)})" if needs else ""))


def bench(
    *describers: str,
    device: Device = "auto",
    repeats: int = 5,
    out: Path | None = None,
    small: bool = False,
    publish: bool = False,
    share: bool = False,
) -> None:
    """Measure time and memory of each part beside a straightforward form of the same formula.

    With describers: the time that each takes for an image, beside an untrained SmallNet.

    Args:
        describers: names that dve describers lists, module:function, or embeddings
        repeats: timings of each form
        out: folder of the results (default: outputs/benchmark)
        small: tiny problems, to see that it runs
        publish: also copy the results into the files under git, and into the README
        share: also copy the results into a file under git named by this machine's hardware
    """
    if publish:
        need_checkout("dve bench --publish")
    if describers:
        _bench_describers(describers, device, repeats)
        return
    from dvelib.pages.execute import execute
    from dvelib.pages.publish import publish_benchmark, share_benchmark
    from dvelib.pages.render import render

    folder = (out or outputs_folder() / "benchmark").expanduser().resolve()
    parameters = {"device": device, "repeats": repeats, "small": small, "outputs": str(folder)}
    page = folder / "page.ipynb"
    execute(ROOT / "notebooks" / "benchmark.ipynb", parameters, page)
    with atomic_path(page.with_suffix(".html")) as temporary:
        temporary.write_text(render(page, home=None))
    print(f"the benchmark is at {page.with_suffix('.html')}")
    if publish:
        print(f"published in {publish_benchmark(folder)}")
    if share:
        print(f"commit {share_benchmark(folder)} and open a pull request to share these results")


def _bench_describers(names: tuple[str, ...], device: Device, repeats: int) -> None:
    """Print dimension, stride and time of each describer on 70-pixel images of drawn faces."""
    from dvelib.data import open_dataset
    from dvelib.describers import title_of
    from dvelib.describers.timing import milliseconds_per_image
    from dvelib.recipes import open_embedding

    images = open_dataset("synthetic", None, "test", size=100, crop=15, limit=32).cropped()
    reference = open_embedding("random-smallnet", device=device)
    base = milliseconds_per_image(reference, images, repeats)
    for name in names:
        opened = open_embedding(name, device=device)
        taken = milliseconds_per_image(opened, images, repeats)
        print(
            f"{title_of(opened)}: {opened.dimension} numbers, stride {opened.stride}, "
            f"{taken:.2f} ms an image, {taken / base:.1f} times a SmallNet"
        )

"""``dve explore``: the explorer in one HTML file."""

from __future__ import annotations

from pathlib import Path

from dvelib.cli.options import Every, Images, pictures_of, say

__all__ = ["explore"]


def explore(
    *,
    out: Path = Path("explorer.html"),
    embeddings: tuple[str, ...] = ("smallnet-64d-plain", "smallnet-64d-exchange"),
    images: Images = (),
    every: Every = 1,
    faces: int = 12,
) -> None:
    """Write a page in which pointing at a face shows its matches on others, live.

    The page needs no server and no network. Without --images it shows drawn faces.

    Args:
        out: the file
        embeddings: folders of embeddings, or names of pretrained ones, for one size of images
        faces: how many pictures
    """
    from dvelib.explore.live_page import write_live_page

    folder = pictures_of(images, every) if images else None
    path = write_live_page(out, embeddings=embeddings, images=folder, faces=faces)
    say(f"the explorer is in {path}")

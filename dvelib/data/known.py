"""Every dataset on disk that can be opened, by name."""

from __future__ import annotations

from PIL import Image

from dvelib.data.aflw import Aflw
from dvelib.data.aflw_mtfl import AflwMtfl
from dvelib.data.celeba import CelebA, Mafl
from dvelib.data.folder import FOLDERS
from dvelib.data.layout import Layout
from dvelib.data.threehundredw import ThreeHundredW

__all__ = ["LAYOUTS"]

_BICUBIC = ThreeHundredW("300w-bicubic", "300-W (bicubic resize)", Image.Resampling.BICUBIC)
LAYOUTS: dict[str, Layout] = {
    layout.name: layout
    for layout in (
        CelebA(),
        Mafl(),
        ThreeHundredW(),
        _BICUBIC,
        Aflw(),
        AflwMtfl(),
        *FOLDERS.values(),
    )
}

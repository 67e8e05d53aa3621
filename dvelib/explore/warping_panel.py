"""A training pair with sliders: two warped views of a face and the flow between them."""

from __future__ import annotations

from dataclasses import replace

import ipywidgets as widgets
import torch
from matplotlib.figure import Figure

from dvelib.explore.gallery import Gallery
from dvelib.explore.panel import PicturePanel, Still, picture_html, picture_of, row, slider, status
from dvelib.plots import warp_examples
from dvelib.warps import TRAINING_WARP, WarpDistribution, draw_weights, warp_pair

__all__ = ["WarpPanel"]

NO_WARP = WarpDistribution(0.0, 0.0, 0.0, 0.0, 0.0)
STILLS = {
    "as in training": TRAINING_WARP,
    "control points only": replace(TRAINING_WARP, translation=0.0, scale=0.0, rotation=0.0),
    "rotation only": replace(NO_WARP, rotation=15.0),
    "scale only": replace(NO_WARP, scale=0.3),
    "three times as strong": WarpDistribution(0.003, 0.03, 0.3, 0.3, 15.0),
}


class WarpPanel(PicturePanel):
    """One face under a random thin-plate-spline warp; sliders set its strength and the draw."""

    legend = "Warp"

    def __init__(self, gallery: Gallery):
        self.faces = gallery.faces
        d = TRAINING_WARP
        self.parts = {
            "control_subset": slider("control points", d.control_subset, 0.0, 0.05, 0.001),
            "rotation": slider("rotation, degrees", d.rotation, 0.0, 45.0, 0.5),
            "scale": slider("scale", d.scale, 0.0, 0.5, 0.01),
            "translation": slider("translation", d.translation, 0.0, 0.5, 0.01),
        }
        self.parts["control_subset"].readout_format = ".3f"
        self.crop = slider("crop, pixels", gallery.crop, 0, gallery.size // 2 - 4)
        self.face = slider("face", 0, 0, len(self.faces) - 1)
        self.draw = slider("random draw", 0, 0, 99)
        self.picture, self.status_line = widgets.HTML(), widgets.HTML()
        controls = [*self.parts.values(), self.crop, self.face, self.draw]
        for part in controls:
            part.observe(lambda _: self.refresh(), "value")
        super().__init__([row(controls), self.picture, self.status_line])
        self.refresh()

    @property
    def distribution(self) -> WarpDistribution:
        """The published warp with the sliders' values; ``control`` in proportion to its subset."""
        values = {name: part.value for name, part in self.parts.items()}
        share = TRAINING_WARP.control / TRAINING_WARP.control_subset
        return replace(TRAINING_WARP, **values, control=share * values["control_subset"])

    def pair(self, distribution: WarpDistribution) -> tuple[Figure, float]:
        """Figure of a pair, and the mean displacement from first to second view in pixels."""
        image = torch.from_numpy(self.faces.images[self.face.value].copy())[None].float()
        generator = torch.Generator().manual_seed(self.draw.value)
        weights = draw_weights(1, distribution, generator)
        pair = warp_pair(image, *weights, self.crop.value)
        moved = pair.flow.norm(dim=3).mean().item()
        return warp_examples(pair.first, pair.second, pair.flow), moved

    def refresh(self) -> None:
        figure, moved = self.pair(self.distribution)
        alt = "Two warped views of a face, and arrows for the displacement of its pixels."
        self.picture.value = picture_html(figure, alt)
        self.status_line.value = status(
            f"From the first view to the second, pixels move by {moved:.1f} px on average. "
            "The sliders' lengths are in units of half the image side."
        )

    def stills(self) -> list[Still]:
        stills = []
        for name, distribution in STILLS.items():
            figure, moved = self.pair(distribution)
            alt = f"Two warped views of a face ({name}), and arrows between them."
            caption = f"Pixels move by {moved:.1f} px on average."
            stills.append(Still(name, picture_of(figure), alt, caption))
        return stills

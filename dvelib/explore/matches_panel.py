"""Matches of the point under the pointer, by two embeddings side by side.

The faces and their matches are the page of `dvelib.explore.live_page`, in a frame. The lists above
choose the embeddings and the slider below the faces.
"""

from __future__ import annotations

import secrets

import ipywidgets as widgets
from markupsafe import Markup

from dvelib.explore.gallery import Gallery
from dvelib.explore.live_page import live_frame
from dvelib.explore.panel import Panel, row, slider

__all__ = ["MatchPanel"]

CLOSE = {"description_width": "initial"}  # the name right beside its list


class MatchPanel(Panel):
    """Two embeddings side by side on the same faces, with the same point.

    ``gallery``: the faces and embeddings; ``count``: the number of faces shown at a time.
    """

    def __init__(self, gallery: Gallery, count: int = 6):
        self.gallery, self.scene = gallery, gallery.scene(count)
        self._offering = False
        labels = list(gallery.embeddings)
        self.labels = [
            widgets.Dropdown(description=name, options=labels, value=value, style=CLOSE)
            for name, value in zip(("left", "right"), gallery.pair(), strict=True)
        ]
        shown = len(self.scene.images)
        self.first = slider("faces from", 1, 1, len(self.scene.faces) - shown + 1, shown)
        self.frame = widgets.HTML()
        for part in self.labels:
            part.observe(self._other_embeddings, "value")
        self.first.observe(self._other_faces, "value")
        super().__init__([row(self.labels), self.frame, row([self.first])])
        gallery.watch(self.offer)
        self.refresh(arrival=secrets.token_hex(8))

    def offer(self, label: str) -> None:
        """Add an embedding to the lists and select it on the right."""
        self._offering = True
        for chosen, value in zip(self.labels, (self.labels[0].value, label), strict=True):
            chosen.options = list(self.gallery.embeddings)  # resets the selection
            chosen.value = value
        self._offering = False
        self.refresh()

    def _other_embeddings(self, _: dict) -> None:
        if not self._offering:
            self.refresh()

    def _other_faces(self, _: dict) -> None:
        self.scene = self.gallery.scene(len(self.scene.images), self.first.value - 1)
        self.refresh()

    def refresh(self, arrival: str = "") -> None:
        """Show the chosen embeddings and faces; ``arrival`` as in `live_frame`."""
        self.frame.value = self._shown(arrival)

    def still(self) -> Markup:
        return self._shown()

    def _shown(self, arrival: str = "") -> Markup:
        labels = list(dict.fromkeys(chosen.value for chosen in self.labels))
        return live_frame(self.scene, labels, self.gallery.landmark_names, arrival=arrival)

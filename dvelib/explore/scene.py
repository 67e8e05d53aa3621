"""Faces with their descriptors by several embeddings, and the matches of a point between them.

Convention: points (x, y) in pixels of the cropped faces; pixel centres are whole numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from dvelib.checkpoints.storage import Embedding
from dvelib.common.errors import StudyError
from dvelib.data import FaceDataset
from dvelib.explore.large_pictures import large_pictures
from dvelib.matching import pixel_error, query_cells, upsample_descriptors
from dvelib.plots.images import descriptor_colours

__all__ = ["Look", "Scene"]

SHOWN = 200  # pixels: about the side at which a face is shown to people


@dataclass(frozen=True)
class Look:
    """Matches of a point of one face on all faces, including its own.

    ``similarity [N,s,s]``: cosine similarity with every pixel; ``best [N,2]``: the most similar
    pixel; ``exchanged [N,2]``: the most similar pixel for the descriptor rebuilt from the
    auxiliary face.
    """

    similarity: np.ndarray
    best: np.ndarray
    exchanged: np.ndarray


class Scene:
    """Successive faces of a dataset with their descriptors by several embeddings.

    ``embeddings``: by label, all for images of the faces' size; more may be added later.
    ``images [N,3,s,s]`` uint8, cropped: at most ``count`` faces from ``first`` on. Raises
    StudyError where sizes differ or there are fewer than two faces.
    """

    def __init__(
        self,
        embeddings: Mapping[str, Embedding],
        faces: FaceDataset,
        count: int = 8,
        first: int = 0,
    ):
        for label, embedding in embeddings.items():
            size = (embedding.spec.size, embedding.spec.crop)
            if size != (faces.size, faces.crop):
                raise StudyError(
                    f"{label} was trained on {size[0]}-pixel images cropped by {size[1]}, but the "
                    f"faces are {faces.size}-pixel images cropped by {faces.crop}: open the faces "
                    f"with the embedding's size and crop"
                )
        if len(faces) < 2:
            raise StudyError(
                f"{faces.title} has {len(faces)} picture(s): the explorer needs at least two"
            )
        self.embeddings, self.faces = embeddings, faces
        self.first = max(0, min(first, len(faces) - count))
        self.part = slice(self.first, self.first + count)
        self.images = faces.cropped(self.part)
        self._maps: dict[str, Tensor] = {}
        self._dense: dict[str, Tensor] = {}

    @property
    def side(self) -> int:
        return self.images.shape[-1]

    @cached_property
    def large(self) -> Tensor:
        """The faces ``[N,3,S,S]`` uint8 for people to look at; see `large_pictures`."""
        return large_pictures(self.faces, self.part, max(1, round(SHOWN / self.side)))

    @property
    def landmarks(self) -> np.ndarray | None:
        """True landmarks ``[N,K,2]``; None if the faces have none."""
        return None if self.faces.full_landmarks is None else self.faces.landmarks[self.part]

    def maps(self, label: str) -> Tensor:
        """Raw descriptor maps ``[N,D,H,W]`` of all faces, computed once."""
        if label not in self._maps:
            self._maps[label] = self.embeddings[label](self.images).cpu()
        return self._maps[label]

    def dense(self, label: str) -> Tensor:
        """Unit descriptors at every pixel, ``[N,D,s*s]``, computed once."""
        if label not in self._dense:
            maps = self.maps(label)
            dense = upsample_descriptors(maps, self.side // maps.shape[-1])
            self._dense[label] = F.normalize(dense, dim=1).flatten(2)
        return self._dense[label]

    @torch.inference_mode()
    def look(self, label: str, face: int, point: tuple[float, float], auxiliary: int) -> Look:
        """Matches of the pixel nearest to ``point`` of a face, by one embedding.

        ``auxiliary``: the face from which the query is rebuilt, as in the exchange loss.
        """
        dense = self.dense(label)
        x, y = (int(np.clip(round(v), 0, self.side - 1)) for v in point)
        query = dense[face, :, y * self.side + x]
        rebuilt = F.normalize(self._rebuilt(label, face, (x, y), auxiliary), dim=0)
        similarity, exchanged = (torch.einsum("d,ndp->np", q, dense) for q in (query, rebuilt))
        heat = similarity.view(-1, self.side, self.side).numpy()
        return Look(heat, self._places(similarity), self._places(exchanged))

    def _rebuilt(self, label: str, face: int, point: tuple[int, int], auxiliary: int) -> Tensor:
        """The query rebuilt from the auxiliary face, as in `dvelib.losses.exchange_loss`.

        Descriptors are those of the training: raw, or unit vectors times the scale.
        """
        maps = self.maps(label)
        stride = self.side // maps.shape[-1]
        column, row = query_cells(torch.tensor(point).float(), stride, maps.shape[-2:])
        query, cells = maps[face, :, row, column], maps[auxiliary].flatten(1)
        if scale := self.embeddings[label].spec.scale:
            query, cells = (scale * F.normalize(v, dim=0) for v in (query, cells))
        return cells @ (query @ cells).softmax(0)

    def _places(self, similarity: Tensor) -> np.ndarray:
        best = similarity.argmax(1).numpy()
        return np.stack([best % self.side, best // self.side], 1)

    @torch.inference_mode()
    def landmark_errors(self, label: str) -> np.ndarray:
        """Matching error ``[N,K,N]`` of landmark k of the first face on the last face.

        In pixels of a 70-px face. NaN where a landmark is not annotated and on the face itself.
        """
        truth = torch.from_numpy(self.landmarks)
        at = truth.nan_to_num(0).round().long().clamp(0, self.side - 1)
        dense = self.dense(label)
        flat = (at[..., 1] * self.side + at[..., 0])[:, None].expand(-1, dense.shape[1], -1)
        queries = dense.gather(2, flat)  # [N,D,K]
        best = torch.einsum("adk,bdp->akbp", queries, dense).argmax(3)
        found = torch.stack([best % self.side, best // self.side], 3).to(truth)  # [N,K,N,2]
        errors = pixel_error(found, truth.transpose(0, 1), self.side)
        errors[truth.isnan().any(2)] = torch.nan
        errors.diagonal(dim1=0, dim2=2).fill_(torch.nan)
        return errors.numpy()

    def typical_question(self, one: str, other: str) -> tuple[int, int] | None:
        """The face and landmark with the median difference in error between two embeddings.

        It favours neither embedding. None where no landmark is annotated on two faces.
        """
        errors = [self.landmark_errors(label) for label in (one, other)]
        known = ~np.isnan(errors[0]).all(axis=2)
        if not known.any():
            return None
        gaps = np.full(known.shape, np.nan)
        gaps[known] = np.subtract(*(np.nanmean(e[known], axis=1) for e in errors))
        nearest = np.nanargmin(np.abs(gaps - np.nanmedian(gaps)))
        return tuple(int(i) for i in np.unravel_index(nearest, gaps.shape))

    def colours(self, label: str) -> np.ndarray:
        """Descriptors as colours ``[N,s,s,3]`` in 0..1, shared by all faces.

        See `dvelib.plots.images.descriptor_colours`.
        """
        dense = self.dense(label)
        return descriptor_colours(dense.view(*dense.shape[:2], self.side, self.side).numpy())

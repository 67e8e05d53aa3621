"""A few faces described and matched, for figures."""

from __future__ import annotations

import torch
from torch import Tensor

from dvelib.checkpoints.storage import Embedding
from dvelib.data import FaceDataset
from dvelib.describers.embedding import describe_images
from dvelib.matching import match_full_resolution

__all__ = ["example_images", "example_maps", "example_matches"]


def example_images(dataset: FaceDataset, count: int) -> Tensor:
    """The first images, cropped: ``[count,3,s,s]`` uint8."""
    return dataset.cropped(slice(count))


def example_maps(embedding: Embedding, dataset: FaceDataset, count: int = 6):
    """The first images, cropped, and their descriptor maps ``[count,D,H,W]``."""
    images = example_images(dataset, count)
    return images, describe_images(embedding.network, images)


def example_matches(
    embeddings: dict[str, Embedding], dataset: FaceDataset, images: int = 6
) -> dict[str, object]:
    """Matches of the first image's landmarks in the next ones, unwarped, at full resolution.

    Returns ``source [3,s,s]``, ``targets [N,3,s,s]`` uint8, ``points [K,2]``, ``truth [N,K,2]``
    and ``matched``: by label ``[N,K,2]``, in pixels of the cropped image; N is ``images``, or as
    many as there are beside the first.
    """
    images = min(images, len(dataset) - 1)
    pictures = example_images(dataset, images + 1)
    landmarks = torch.from_numpy(dataset.landmarks[: images + 1])
    matched = {}
    for label, embedding in embeddings.items():
        maps = describe_images(embedding.network, pictures)
        source = maps[:1].expand(images, -1, -1, -1)
        queries = landmarks[:1].expand(images, -1, -1)
        stride = dataset.cropped_size // maps.shape[-1]
        matched[label] = match_full_resolution(source, maps[1:], queries, stride)
    return {
        "source_image": pictures[0],
        "target_images": pictures[1:],
        "points": landmarks[0],
        "matched": matched,
        "truth": landmarks[1:],
    }

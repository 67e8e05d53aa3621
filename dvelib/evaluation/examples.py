"""A few faces described and matched, for figures."""

from __future__ import annotations

import torch
from torch import Tensor

from dvelib.data import FaceDataset
from dvelib.describers import Describer
from dvelib.matching import match_full_resolution

__all__ = ["example_images", "example_maps", "example_matches"]


def example_images(dataset: FaceDataset, count: int) -> Tensor:
    """The first images, cropped: ``[count,3,s,s]`` uint8."""
    return dataset.cropped(slice(count))


def example_maps(
    describer: Describer, dataset: FaceDataset, count: int = 6
) -> tuple[Tensor, Tensor]:
    """The first images, cropped, and their descriptor maps ``[count,D,H,W]``, on the CPU."""
    images = example_images(dataset, count)
    return images, describer(images).cpu()


def example_matches(
    describers: dict[str, Describer], dataset: FaceDataset, images: int = 6
) -> dict[str, object]:
    """Matches of the first image's landmarks in the next ones, unwarped, at full resolution.

    Returns ``source_image [3,s,s]``, ``target_images [N,3,s,s]`` uint8, ``points [K,2]``,
    ``truth [N,K,2]`` and, by the labels of the describers, ``matched [N,K,2]``, in pixels of the
    cropped image. N is ``images``, or the number of images after the first if there are fewer.
    """
    images = min(images, len(dataset) - 1)
    pictures = example_images(dataset, images + 1)
    landmarks = torch.from_numpy(dataset.landmarks[: images + 1])
    matched = {}
    for label, describer in describers.items():
        maps = describer(pictures)
        source = maps[:1].expand(images, -1, -1, -1)
        queries = landmarks[:1].expand(images, -1, -1).to(maps.device)
        found = match_full_resolution(source, maps[1:], queries, describer.stride)
        matched[label] = found.cpu()
    return {
        "source_image": pictures[0],
        "target_images": pictures[1:],
        "points": landmarks[0],
        "matched": matched,
        "truth": landmarks[1:],
    }

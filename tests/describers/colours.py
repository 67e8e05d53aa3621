"""A describer that is no network: the colour in the middle of every second pixel."""

import torch

STRIDE = 2


def colours(images):
    """Raw colours ``[B,3,S,S]`` uint8 -> ``[B,3,S/2,S/2]`` in 0..1."""
    return images[:, :, ::STRIDE, ::STRIDE] / 255


class Colours:
    """The same by hand, as anybody may write one; ``calls``: the shapes and types it was given."""

    name, dimension, stride, digest = "colours", 3, STRIDE, "c010c010"
    device = torch.device("cpu")

    def __init__(self):
        self.calls = []

    def __call__(self, images):
        self.calls.append((tuple(images.shape), images.dtype))
        return colours(images)


def two_numbers(images):
    return images[:, :2, 0, 0].float()


def no_tensor(images):
    return None


def dimension_by_batch(images):
    return colours(images).repeat(1, len(images), 1, 1)

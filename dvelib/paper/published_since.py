"""Numbers that were published after DVE, each with the protocol by which it was measured.

Later papers changed the protocol: they match at full resolution by cosine, put a convolution into
the regressor, use larger inputs, or measure landmarks that were discovered, not regressed. Numbers
of different protocols cannot be compared, so each protocol has measures of its own here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["PROTOCOLS", "PUBLISHED_SINCE", "LaterNumbers", "Protocol", "numbers_of"]


@dataclass(frozen=True)
class Protocol:
    """How numbers were measured. ``regressor``: how landmarks were learned, None for matching."""

    name: str
    measured: str
    regressor: str | None
    measures: tuple[str, ...]


@dataclass(frozen=True)
class LaterNumbers:
    """Numbers of one method under one protocol, in the order of the protocol's measures."""

    method: str
    protocol: str
    numbers: tuple[float, ...]
    reported_by: str


FULL = "matching, full resolution"
CONVOLUTION = "landmarks, regressor with a convolution"
DISCOVERED = "landmarks, discovered"
PROTOCOLS = (
    Protocol(
        FULL,
        "1,000 pairs of MAFL test images, 96-pixel inputs, maps brought to the size of the image, "
        "cosine; pixels",
        None,
        ("same identity", "different identity"),
    ),
    Protocol(
        CONVOLUTION,
        "96-pixel inputs, test images of each benchmark; percent of the inter-ocular distance; "
        "AFLW_R with its first labels",
        "convolution, 50 heat maps a landmark, soft-argmax, linear map; all labelled faces",
        ("MAFL", "AFLW_M", "AFLW_R", "300-W"),
    ),
    Protocol(
        DISCOVERED,
        "landmarks that a network proposes by itself; forward: a linear map from them to labelled "
        "ones; backward: from labelled ones to them; normalised error",
        "a linear map, in both directions",
        ("MAFL forward", "MAFL backward", "AFLW forward", "AFLW backward"),
    ),
)
SCE = "Yin et al., SCE-MAE, CVPR 2024, tables 1 and 2"
TOURANI = "Tourani et al., CVPR 2025, table of its repository"
PUBLISHED_SINCE = (
    LaterNumbers("DVE, hourglass 64-d (2019)", FULL, (0.92, 2.38), SCE),
    LaterNumbers("ContrastLandmark, 64-d (2021)", FULL, (0.92, 2.62), SCE),
    LaterNumbers("ContrastLandmark, 256-d (2021)", FULL, (0.71, 2.06), SCE),
    LaterNumbers("LEAD, 64-d (2022)", FULL, (0.51, 2.60), SCE),
    LaterNumbers("LEAD, 256-d (2022)", FULL, (0.48, 2.50), SCE),
    LaterNumbers("SCE-MAE, DeiT-T, 64-d (2024)", FULL, (0.47, 1.99), SCE),
    LaterNumbers("SCE-MAE, DeiT-B, 256-d (2024)", FULL, (0.27, 1.61), SCE),
    LaterNumbers("DVE, hourglass 64-d (2019)", CONVOLUTION, (2.76, 6.96, 6.33, 4.58), SCE),
    LaterNumbers(
        "ContrastLandmark, hypercolumns (2021)", CONVOLUTION, (2.76, 6.17, 5.69, 4.84), SCE
    ),
    LaterNumbers("LEAD, hypercolumns (2022)", CONVOLUTION, (2.44, 6.05, 5.71, 4.87), SCE),
    LaterNumbers("SCE-MAE, DeiT-T (2024)", CONVOLUTION, (2.20, 5.89, 5.54, 4.22), SCE),
    LaterNumbers("SCE-MAE, DeiT-B (2024)", CONVOLUTION, (2.07, 5.23, 5.33, 3.95), SCE),
    LaterNumbers("Jakab et al. (2018)", DISCOVERED, (3.19, 4.53, 6.86, 8.84), TOURANI),
    LaterNumbers(
        "Mallis et al., diffusion features", DISCOVERED, (2.74, 3.11, 3.38, 3.75), TOURANI
    ),
    LaterNumbers(
        "Hedlin et al., diffusion features", DISCOVERED, (2.56, 3.02, 3.11, 3.78), TOURANI
    ),
    LaterNumbers("Tourani et al. (2025)", DISCOVERED, (2.09, 2.62, 2.76, 3.54), TOURANI),
)


def numbers_of(protocol: Protocol) -> Iterator[LaterNumbers]:
    """The numbers that were measured by a protocol."""
    return (numbers for numbers in PUBLISHED_SINCE if numbers.protocol == protocol.name)

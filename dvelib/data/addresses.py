"""Every address that the package names, and the rule for what may be downloaded from where.

Nothing is downloaded unless a user asks for it. What is downloaded comes over https, or its
published hash is known; and no more than the announced size is taken.
"""

from __future__ import annotations

from urllib.parse import urlsplit

__all__ = ["ADDRESSES", "known_address", "refusal"]

# By the beginning of an address, what is there.
ADDRESSES = {
    "www.robots.ox.ac.uk/~vgg/research/DVE/data": "the authors' datasets and weights",
    "arxiv.org/abs/1908.06427": "the paper (a link on pages)",
}
THIS_MACHINE = ("127.0.0.1", "::1", "localhost")


def known_address(url: str) -> bool:
    """Whether an address, with any scheme, begins with one of `ADDRESSES`."""
    place = url.partition("://")[2]
    return any(place == known or place.startswith(f"{known}/") for known in ADDRESSES)


def refusal(url: str, sha1: str | None) -> str | None:
    """Why nothing is downloaded from an address; None for https, a known hash, or this machine."""
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http"):
        return "it is no address of http or https"
    if parts.scheme == "https" or sha1 or parts.hostname in THIS_MACHINE:
        return None
    return "it is not https, and no hash is known by which a changed file would be found"

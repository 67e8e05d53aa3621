"""The site: executed notebooks as pages that stand alone, their index, the claims, the numbers."""

from dvelib.site.build import build_site
from dvelib.site.pages import render

__all__ = ["build_site", "render"]

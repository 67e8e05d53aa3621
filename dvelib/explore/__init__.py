"""Interactive views of dense descriptors: click on a face, see the matches on other faces.

An `Explorer` holds faces and embeddings and makes the panels of ``notebooks/explore.ipynb``.
Networks and widgets are imported only when needed.
"""

from dvelib.common.lazy import lazy_names

_PLACES = {"Explorer": "explorer", "Scene": "scene"}
__all__ = list(_PLACES)
__getattr__ = lazy_names(__name__, _PLACES)

"""Descriptor Vector Exchange (Thewlis et al., ICCV 2019): dense landmarks learned without labels.

The method lies at the top of the package, tensors in and tensors out: `networks`, `losses`,
`warps`, `augment`, `regressor`, `matching`. Every folder is a layer, and imports only its own
modules and those of the layers before it (``tests/test_layers.py`` lists them in order).
``CONTRIBUTING.md`` says where each thing lives.
"""

from importlib.metadata import PackageNotFoundError, version

from dvelib.common.errors import StudyError

__all__ = ["StudyError", "__version__"]

try:
    __version__ = version("dvelib")
except PackageNotFoundError:
    __version__ = "not installed"

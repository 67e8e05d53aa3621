"""Descriptor Vector Exchange (Thewlis et al., ICCV 2019): dense landmarks learned without labels.

Four layers, each importing only the ones above it:

1. the method, tensors in and tensors out: `networks`, `losses`, `warps`, `augment`, `regressor`,
   `matching`;
2. data, from disk to uint8 images and landmarks: `data`;
3. the study, a specification in and an artifact out: `spec`, `checkpoints`, `training`,
   `evaluation`, `study`;
4. what people see: `published`, `plots`, `report`, `cli`.
"""

from dvelib.errors import StudyError

__all__ = ["StudyError", "__version__"]
__version__ = "0.1.0"

"""Options that several commands share: each declared once, with its help."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

from cyclopts import Parameter

from dvelib.checkpoints.pretrained import EMBEDDINGS
from dvelib.common.errors import StudyError
from dvelib.common.files import IN_CHECKOUT

if TYPE_CHECKING:
    from dvelib.study.plan import Study

__all__ = [
    "AnyDescriber",
    "Crop",
    "DEFAULT_STUDY",
    "Data",
    "Device",
    "Every",
    "Fit",
    "Force",
    "Images",
    "Limit",
    "Published",
    "Seed",
    "Size",
    "StudyOptions",
    "Weights",
    "named",
    "need_checkout",
    "pictures_of",
    "say",
]

T = TypeVar("T")

AnyDescriber = Annotated[
    str,
    Parameter(
        help="whose descriptors: folder of an embedding, a published .pth file, the name of a "
        f"pretrained one ({', '.join(EMBEDDINGS)}), module:function, or a name that "
        "dve describers lists"
    ),
]
Crop = Annotated[
    int | None, Parameter(help="pixels cut from each side of an image (default: the embedding's)")
]
Data = Annotated[Path | None, Parameter(help="folder that holds the datasets")]
Device = Annotated[Literal["auto", "cpu", "cuda"], Parameter(help="where to compute")]
Every = Annotated[int, Parameter(help="of a video, take only every so many-th frame")]
Fit = Annotated[
    Literal["central", "whole"] | None,
    Parameter(
        help="what is shown of a picture: its central square, or the whole picture with black bars "
        "(default: as of the embedding or its parent, else central)"
    ),
]
Force = Annotated[
    bool, Parameter(help="replace an older result of other pictures, labels or settings")
]
Images = Annotated[
    tuple[str, ...],
    Parameter(consume_multiple=True, help="folder of the pictures, picture files, or a video"),
]
Limit = Annotated[
    int | None, Parameter(help="use only the first so many faces of a split (default: all)")
]
Published = Annotated[
    str | None,
    Parameter(help="which published experiment a .pth file is (default: as its folders say)"),
]
Seed = Annotated[int, Parameter(help="seed of the first weights and of all random choices")]

Size = Annotated[
    int | None, Parameter(help="side of the images before the crop (default: the embedding's)")
]
Weights = Annotated[
    Path | None, Parameter(help="file of weights of a describer that needs one (default: none)")
]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class StudyOptions:
    """Which study: its profile, where its datasets lie and where its results go.

    Args:
        profile: smoke, quick, faces, paper, or the name of another file in
            params/profiles
        data: folder that holds the datasets
        outputs: folder of the results (default: outputs). Your own parameter files lie beside it,
            in params (or in DVE_PARAMS), and come before those of the same name that come along
    """

    profile: str = "quick"
    data: Path | None = None
    outputs: Path | None = None

    def load(self, *, without_data: bool = False) -> Study:
        """The study; raises StudyError for what is wrong with the profile or the data."""
        from dvelib.study.plan import Study

        return Study.load(self.profile, self.data, outputs=self.outputs, without_data=without_data)

    def parameters(self) -> dict[str, str | None]:
        """The same as parameters of a notebook."""
        places = {"data_root": self.data, "outputs": self.outputs}
        absolute = {
            name: str(path.expanduser().resolve()) if path else None
            for name, path in places.items()
        }
        return {"profile": self.profile} | absolute


DEFAULT_STUDY = StudyOptions()


def named(known: dict[str, T], name: str, what: str) -> T:
    """The entry of that name; raises StudyError with the known names where there is none."""
    if name not in known:
        raise StudyError(f"the profile has no {what} {name!r}: choose among {', '.join(known)}")
    return known[name]


def need_checkout(command: str) -> None:
    """Raises StudyError where the package is an installed one, without its files under git."""
    if not IN_CHECKOUT:
        raise StudyError(f"{command} writes into files under git: run it in a checkout of dvelib")


def pictures_of(images: tuple[str, ...], every: int) -> Path:
    """The folder of the pictures that ``--images`` names; see `dvelib.data.sources`."""
    from dvelib.data.sources import pictures_folder

    return pictures_folder(images, every, say)


def say(text: str) -> None:
    """Print at once, also into a pipe."""
    print(text, flush=True)

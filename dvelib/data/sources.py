"""Pictures from a folder, from picture files, or from the frames of a video: always a folder.

Frames of a video are written into a folder beside it, named by their number in the video. Picture
files are linked into a folder beside theirs. Labels of such pictures lie in these folders.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from dvelib.common.errors import StudyError
from dvelib.common.files import read_json, write_json
from dvelib.common.progress import progress_bar
from dvelib.data.folder import SUFFIXES

__all__ = ["RECORD", "VIDEOS", "pictures_folder"]

VIDEOS = {".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ogv", ".webm", ".wmv"}
RECORD = "source.json"  # what a folder of frames or links was made from
QUALITY = 95  # of the frames, JPEG


def pictures_folder(
    images: Path | str | Sequence[Path | str],
    every: int = 1,
    say: Callable[[str], None] = print,
) -> Path:
    """The folder that holds these pictures, made if need be.

    ``images``: one folder, which is returned as it is given, one video, or picture files.
    ``every``: of a video, frames 0, every, 2 * every and so on. The folder of a video is
    ``<video>-frames`` or ``<video>-every-<n>-frames``; the same call finds it again.
    Raises StudyError for a mixture, a picture or a video that does not exist, files of one name, a
    video that cannot be read and a missing package for videos.
    """
    given = [images] if isinstance(images, Path | str) else list(images)
    paths = [Path(path).expanduser().resolve() for path in given]
    if every < 1:
        raise StudyError(f"--every must be at least 1, got {every}")
    if not paths:
        raise StudyError("name a folder of pictures, picture files or a video")
    if len(paths) == 1 and paths[0].suffix.lower() in VIDEOS and not paths[0].is_dir():
        return _frames(paths[0], every, say)
    if every != 1:
        raise StudyError(f"--every {every} is for a video, and {paths[0]} is none")
    if len(paths) == 1 and not paths[0].is_file() and paths[0].suffix.lower() not in SUFFIXES:
        return Path(given[0])
    return _linked(paths, say)


def _linked(paths: Sequence[Path], say: Callable[[str], None]) -> Path:
    """A folder of links to picture files, named by what it links to."""
    names = [path.name for path in paths]
    for path in paths:
        if not path.is_file() or path.suffix.lower() not in SUFFIXES:
            raise StudyError(
                f"{path} is not a picture ({', '.join(sorted(SUFFIXES))}): name one folder, one "
                f"video ({', '.join(sorted(VIDEOS))}), or picture files"
            )
        if names.count(path.name) > 1:
            raise StudyError(f"two of the files are named {path.name}: rename one of them")
    digest = hashlib.sha256("\0".join(map(str, sorted(paths))).encode()).hexdigest()[:6]
    parent = paths[0].parent
    folder = parent.with_name(f"{parent.name}-{len(paths)}-pictures-{digest}")
    if not folder.exists():
        with _made(folder, {"files": [str(path) for path in paths]}) as temporary:
            for path in paths:
                _link(path, temporary / path.name)
    say(f"{len(paths)} pictures, linked in {folder}")
    return folder


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)


@contextmanager
def _made(folder: Path, record: dict[str, object]) -> Iterator[Path]:
    """A temporary folder that takes its name when the block ends without error."""
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        temporary.mkdir(parents=True)
        yield temporary
        write_json(temporary / RECORD, record)
        temporary.rename(folder)
    except OSError as error:
        raise StudyError(f"{folder} cannot be made ({error.strerror})") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _frames(video: Path, every: int, say: Callable[[str], None]) -> Path:
    if not video.is_file():
        raise StudyError(f"there is no video {video}")
    name = f"{video.stem}-frames" if every == 1 else f"{video.stem}-every-{every}-frames"
    folder = video.with_name(name)
    record = {"video": video.name, "bytes": video.stat().st_size, "every": every}
    if folder.exists():
        if not (folder / RECORD).exists() or read_json(folder / RECORD) != record:
            raise StudyError(f"{folder} was not made from {video.name} as it is: move it away")
    else:
        with _made(folder, record) as temporary:
            _write_frames(video, every, temporary)
    count = sum(path.suffix == ".jpg" for path in folder.iterdir())
    say(f"{count} frames of {video.name}, in {folder}")
    return folder


def _write_frames(video: Path, every: int, folder: Path) -> None:
    try:
        import av
    except ImportError:
        raise StudyError(f"reading {video.name} needs av: pip install 'dvelib[video]'") from None
    try:
        with av.open(str(video)) as container:
            if not container.streams.video:
                raise StudyError(f"{video} has no pictures in it")
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            with progress_bar(stream.frames, f"reading {video.name}", "frames") as bar:
                for number, frame in enumerate(container.decode(stream)):
                    if number % every == 0:
                        picture = Image.fromarray(_upright(frame.to_ndarray(format="rgb24"), frame))
                        picture.save(folder / f"frame-{number:06d}.jpg", quality=QUALITY)
                    bar.update()
    except av.FFmpegError as error:
        raise StudyError(f"{video} cannot be read as a video ({error.strerror})") from None
    if not any(folder.iterdir()):
        raise StudyError(f"{video} has no frames")


def _upright(picture: np.ndarray, frame: object) -> np.ndarray:
    """The frame ``[H,W,3]`` turned as the video says; its rotation counts counter-clockwise."""
    return np.ascontiguousarray(np.rot90(picture, round(frame.rotation / 90) % 4))

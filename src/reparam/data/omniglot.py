"""Omniglot at 28×28, derived from the 105×105 originals by area averaging."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

ORIGINAL, REDUCED = 105, 28


def originals(archives: Iterable[Path]) -> NDArray[np.bool_]:
    """All drawings in the publisher's zip files as [N, 105, 105], True = ink.

    Files are called <character id>_<drawer>.png with ids that run on from the background archive to the
    evaluation archive; the drawings come in that order, whatever the order in the archives.
    """
    from PIL import Image

    drawings: dict[str, NDArray[np.bool_]] = {}
    for archive in archives:
        with zipfile.ZipFile(archive) as opened:
            for member in opened.namelist():
                if member.endswith(".png"):
                    image = Image.open(io.BytesIO(opened.read(member)))
                    drawings[PurePosixPath(member).stem] = ~np.asarray(image.convert("1"))
    return np.stack([drawings[stem] for stem in sorted(drawings)])


def area_average(ink: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The share of ink in each of 28×28 cells of 3.75×3.75 source pixels, times 255, rounded.

    [N, 105, 105] in, [N, 28, 28] out. Cell edges fall on quarters of a pixel, so the covered area is
    counted exactly, in sixteenths of a pixel (225 make a cell). 255/225 n is never half-way between
    integers: rounding has no ties.
    """
    edges = np.arange(REDUCED + 1) * (ORIGINAL * 4 // REDUCED)
    pixels = np.arange(ORIGINAL) * 4
    overlap = np.minimum(edges[1:, None], pixels + 4) - np.maximum(edges[:-1, None], pixels)
    quarters = overlap.clip(min=0).astype(np.float32)
    reduced = np.empty((len(ink), REDUCED, REDUCED), dtype=np.uint8)
    for start in range(0, len(ink), 1024):  # bounds the float copies to some 50 MB
        batch = slice(start, start + 1024)
        sixteenths = quarters @ ink[batch].astype(np.float32) @ quarters.T
        reduced[batch] = np.rint(sixteenths * (255 / 225))
    return reduced

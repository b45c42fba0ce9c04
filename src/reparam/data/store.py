"""The data folder: what is there, is it whole, and how to get what is missing.

The folder is REPARAM_DATA_DIR where that is set, else the user's cache. Files in it are only ever
read, except that downloads add missing ones; they get their final name when they are whole.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from reparam.data.decode import DECODERS, Arrays
from reparam.data.sources import SOURCES, File, Source, names
from reparam.errors import OutputError, ReparamError
from reparam.registry import nearest

VARIABLE = "REPARAM_DATA_DIR"
TIMEOUT = 30  # seconds without an answer before an address is given up


def ensure(wanted: Sequence[str]) -> list[dict[str, Any]]:
    """Download what is missing for these data sets, verify everything, and say what is there.

    One JSON-able summary per data set: `name`; `source` ("directory": REPARAM_DATA_DIR, "download": the
    cache, "package": an installed package); `files` with `path` (relative to the data folder or
    package), `bytes` and `sha256`; `arrays`, the SHA-256 of the decoded arrays. Raises as `read` does.
    """
    return [_summary(name) for name in wanted]


def read(name: str) -> Arrays:
    """The verified arrays of a data set as published, downloaded first if need be.

    Raises ReparamError for an unknown name, for files that are missing and cannot be downloaded, and for
    a corrupt file; OutputError where a download cannot be stored.
    """
    source = _source(name)
    return _decode(name, source, *_locate(name, source))


def digest(arrays: Arrays) -> str:
    """The SHA-256 over names, types, shapes and contents of these arrays."""
    total = hashlib.sha256()
    for key in sorted(arrays):
        value = np.ascontiguousarray(arrays[key])
        total.update(f"{key} {value.dtype} {value.shape}\n".encode())
        total.update(value.data)
    return total.hexdigest()


def folder() -> Path:
    """The data folder: REPARAM_DATA_DIR, which must exist, or else `reparam` in the user's cache."""
    chosen = os.environ.get(VARIABLE)
    if chosen:
        path = Path(chosen).expanduser()
        if not path.is_dir():
            raise ReparamError(f"{VARIABLE} names {path}, which is no folder: create it or unset {VARIABLE}")
        return path
    import pooch

    return Path(pooch.os_cache("reparam"))


def _source(name: str) -> Source:
    if name not in SOURCES:
        raise ReparamError(f"unknown data set {name!r}{nearest(name, names())}")
    return SOURCES[name]


def _root(source: Source) -> Path:
    if source.package is None:
        return folder()
    found = importlib.util.find_spec(source.package)  # the place only: importing it takes a second
    if found is None or found.origin is None:
        raise ReparamError(f"the package {source.package!r}, which ships a data set, is not installed")
    return Path(found.origin).parent


def _locate(name: str, source: Source) -> tuple[Path, tuple[File, ...]]:
    """The root and the files of the first complete layout, each with the right checksum."""
    root = _root(source)
    for layout in source.layouts:
        if all((root / file.path).is_file() for file in layout):
            break
    else:
        layout = source.layouts[-1]
        if source.package is not None:
            files = ", ".join(file.path for file in layout)
            raise ReparamError(
                f"data set {name!r}: the package {source.package!r} lacks {files}; reinstall it"
            )
        missing = [file for file in layout if not (root / file.path).is_file()]
        _download(name, missing, root)
        _refuse_bad_download(name, source, root, layout, missing)
    for file in layout:
        _verify(root / file.path, file.checksum)
    return root, layout


def _refuse_bad_download(
    name: str, source: Source, root: Path, layout: tuple[File, ...], downloaded: Sequence[File]
) -> None:
    """Where the publisher states no checksum the arrays decide, before a download may keep its name."""
    unchecked = [file for file in downloaded if file.checksum is None]
    if not unchecked:
        return
    try:
        _decode(name, source, root, layout)
    except ReparamError:
        for file in unchecked:
            (root / file.path).unlink(missing_ok=True)
        raise


def _verify(path: Path, checksum: str | None) -> None:
    if checksum is None:
        return
    algorithm, expected = checksum.split(":")
    found = _hash(path, algorithm)
    if found != expected:
        raise _corrupt(str(path), f"its {algorithm} is {found}, expected {expected}")


def _hash(path: Path, algorithm: str) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()


def _corrupt(what: str, how: str) -> ReparamError:
    return ReparamError(
        f"{what} is corrupt and not used: {how}; replace it, or delete it to have it downloaded"
    )


def _decode(name: str, source: Source, root: Path, layout: tuple[File, ...]) -> Arrays:
    """The arrays in these files, if they are the ones the table expects."""
    arrays: Arrays = {}
    try:
        arrays = DECODERS[name]([root / file.path for file in layout])
        found = digest(arrays)
    except Exception as error:
        # Without a file checksum the parser meets whatever bytes are there, and may fail in any way.
        if all(file.checksum for file in layout):
            raise
        found = f"none ({type(error).__name__} on reading it)"
    if found != source.arrays:
        files = ", ".join(str(root / file.path) for file in layout)
        raise _corrupt(files, f"the sha256 of the decoded arrays is {found}, expected {source.arrays}")
    return arrays


def _download(name: str, missing: Sequence[File], root: Path) -> None:
    listed = ", ".join(f"{file.path} (from {file.addresses[0]})" for file in missing)
    them = "it" if len(missing) == 1 else "them"
    advice = f"put {them} under {root}, or set {VARIABLE} to a folder that has {them}"
    for file in missing:
        try:
            _fetch(file, root)
        except ConnectionError as error:
            raise ReparamError(
                f"data set {name!r} lacks {listed}, and the download failed ({error}): {advice}"
            ) from error
        except OSError as error:
            reason = error.strerror or error
            raise OutputError(
                f"data set {name!r} lacks {listed}, and {root} cannot be written to ({reason}): {advice}"
            ) from error


def _fetch(file: File, root: Path) -> None:
    """Download one file from the first address that gives it whole; ConnectionError if none does."""
    import pooch
    from requests.exceptions import RequestException

    target = root / file.path
    downloader = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), chunk_size=2**16, timeout=TIMEOUT)
    failures = []
    for address in file.addresses:
        host = urlsplit(address).hostname
        try:
            # pooch downloads to a temporary name beside the target and moves the file once its hash is right
            pooch.retrieve(address, file.checksum, target.name, target.parent, downloader=downloader)
            return
        except RequestException as error:
            failures.append(f"{host}: {type(error).__name__}")
        except ValueError as error:  # the wrong hash; the message has both
            failures.append(f"{host}: {str(error).partition('. Deleted')[0]}")
    raise ConnectionError("; ".join(failures))


def _summary(name: str) -> dict[str, Any]:
    source = _source(name)
    root, layout = _locate(name, source)
    _decode(name, source, root, layout)
    origin = "package" if source.package else "directory" if os.environ.get(VARIABLE) else "download"
    files = [
        {
            "path": file.path,
            "bytes": (root / file.path).stat().st_size,
            "sha256": _hash(root / file.path, "sha256"),
        }
        for file in layout
    ]
    return {"name": name, "source": origin, "files": files, "arrays": source.arrays}

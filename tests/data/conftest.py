"""A tiny published data set, a loopback server that publishes it, and the real data where it lies."""

from __future__ import annotations

import hashlib
import io
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from reparam.data import sources, store


@dataclass
class Toy:
    """Images of six pixels, published as one .npy file in place of Frey Face."""

    images: np.ndarray
    content: bytes
    name: str = "frey_face"
    path: str = "FreyFaces/freyfaces.npy"

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def arrays(self) -> str:
        return store.digest({"images": self.images})


@pytest.fixture
def toy() -> Toy:
    images = np.random.default_rng(0).integers(0, 256, (1965, 2, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    np.save(buffer, images)
    return Toy(images, buffer.getvalue())


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder, in force."""
    path = tmp_path / "data"
    path.mkdir()
    monkeypatch.setenv("REPARAM_DATA_DIR", str(path))
    return path


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch, toy: Toy) -> Callable[..., None]:
    """Put the toy into the table in place of Frey Face, at these addresses, with this checksum."""

    def put(*addresses: str, checksum: str | None = "sha256:" + toy.checksum) -> None:
        layout = (sources.File(toy.path, checksum, addresses),)
        monkeypatch.setitem(sources.SOURCES, toy.name, sources.Source((layout,), toy.arrays))

    return put


class _Handler(SimpleHTTPRequestHandler):
    """Serves a folder; under /cut/ it announces the whole file and hangs up half-way."""

    def do_GET(self) -> None:
        if not self.path.startswith("/cut/"):
            return super().do_GET()
        content = (Path(self.directory) / self.path.removeprefix("/cut/")).read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2])

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The address of a loopback server and the folder it serves."""
    root = tmp_path / "served"
    root.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=str(root))) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}", root
        running.shutdown()
        thread.join()


@pytest.fixture
def real() -> Callable[[str], Path]:
    """Skip unless REPARAM_DATA_DIR holds this data set in one of its layouts; else give the folder."""

    def folder(name: str) -> Path:
        root = os.environ.get("REPARAM_DATA_DIR")
        if not root:
            pytest.skip("REPARAM_DATA_DIR is not set: no real data to read")
        layouts = sources.SOURCES[name].layouts
        if not any(all((Path(root) / file.path).is_file() for file in layout) for layout in layouts):
            pytest.skip(f"REPARAM_DATA_DIR has no {name}")
        return Path(root)

    return folder

"""The data folder: missing, corrupt, downloaded, interrupted."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import numpy as np
import pytest

from reparam.data import ensure, names, sources, store
from reparam.errors import OutputError, ReparamError

NOBODY = "http://127.0.0.1:9/freyfaces.npy"  # the discard port: nothing answers


def left_behind(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_an_unknown_name_meets_the_nearest():
    with pytest.raises(ReparamError, match="unknown data set 'mnits'; did you mean 'mnist'"):
        store.read("mnits")


def test_a_folder_that_does_not_exist_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("REPARAM_DATA_DIR", str(tmp_path / "typo"))
    with pytest.raises(ReparamError, match=r"REPARAM_DATA_DIR names .*typo, which is no folder"):
        store.read("mnist")


def test_without_the_variable_the_folder_is_in_the_users_cache(monkeypatch):
    monkeypatch.delenv("REPARAM_DATA_DIR", raising=False)
    assert store.folder().name == "reparam"


def test_missing_and_offline_is_one_line_with_files_address_and_folder(data_dir, publish, toy):
    publish(NOBODY)
    with pytest.raises(ReparamError) as caught:
        store.read(toy.name)
    message = str(caught.value)
    assert "\n" not in message
    for part in (toy.name, toy.path, NOBODY, str(data_dir), "ConnectionError"):
        assert part in message
    assert left_behind(data_dir) == []


def test_only_the_missing_files_are_named(data_dir, monkeypatch):
    present, missing = (sources.File(f"x/{part}.gz", None, (NOBODY,)) for part in ("here", "gone"))
    monkeypatch.setitem(sources.SOURCES, "mnist", sources.Source(((present, missing),), "0"))
    (data_dir / "x").mkdir()
    (data_dir / "x/here.gz").touch()
    with pytest.raises(ReparamError, match=r"lacks x/gone\.gz") as caught:
        store.read("mnist")
    assert "here.gz" not in str(caught.value)


def test_a_corrupt_file_is_named_with_both_checksums_and_left_alone(data_dir, publish, toy):
    publish(NOBODY)
    path = data_dir / toy.path
    path.parent.mkdir()
    damaged = bytearray(toy.content)
    damaged[-1] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(ReparamError) as caught:
        store.read(toy.name)
    message = str(caught.value)
    assert str(path) in message and "expected " + toy.checksum in message
    found = re.search(r"sha256 is ([0-9a-f]{64})", message)
    assert found and found[1] != toy.checksum
    assert path.read_bytes() == damaged


@pytest.mark.parametrize("damage", ["another pixel", "no array"])
def test_without_a_file_checksum_the_arrays_decide(data_dir, publish, toy, damage):
    publish(NOBODY, checksum=None)
    path = data_dir / toy.path
    path.parent.mkdir()
    content = toy.content[:-1] + bytes([toy.content[-1] ^ 1]) if damage == "another pixel" else b"<html>"
    path.write_bytes(content)
    with pytest.raises(ReparamError) as caught:
        store.read(toy.name)
    assert str(path) in str(caught.value) and "expected " + toy.arrays in str(caught.value)
    path.write_bytes(toy.content)
    assert np.array_equal(store.read(toy.name)["images"], toy.images)


def test_a_download_is_verified_stored_and_used(data_dir, publish, server, toy):
    address, served = server
    (served / "freyfaces.npy").write_bytes(toy.content)
    publish(f"{address}/freyfaces.npy")
    assert np.array_equal(store.read(toy.name)["images"], toy.images)
    assert left_behind(data_dir) == [toy.path]
    (served / "freyfaces.npy").unlink()
    assert np.array_equal(store.read(toy.name)["images"], toy.images)


def test_the_next_address_is_tried(data_dir, publish, server, toy):
    address, served = server
    (served / "freyfaces.npy").write_bytes(toy.content)
    publish(NOBODY, f"{address}/gone.npy", f"{address}/cut/freyfaces.npy", f"{address}/freyfaces.npy")
    assert np.array_equal(store.read(toy.name)["images"], toy.images)


def test_a_download_with_the_wrong_checksum_is_discarded(data_dir, publish, server, toy):
    address, served = server
    (served / "freyfaces.npy").write_bytes(toy.content)
    publish(f"{address}/freyfaces.npy", checksum="sha256:" + "0" * 64)
    with pytest.raises(ReparamError) as caught:
        store.read(toy.name)
    assert "0" * 64 in str(caught.value) and toy.checksum in str(caught.value)
    assert "\n" not in str(caught.value)
    assert left_behind(data_dir) == []


@pytest.mark.parametrize("checked", [True, False])
def test_an_interrupted_download_leaves_nothing(data_dir, publish, server, toy, checked):
    address, served = server
    (served / "freyfaces.npy").write_bytes(toy.content)
    publish(f"{address}/cut/freyfaces.npy", checksum=f"sha256:{toy.checksum}" if checked else None)
    with pytest.raises(ReparamError, match="the download failed"):
        store.read(toy.name)
    assert left_behind(data_dir) == []


def test_a_folder_that_cannot_be_written_is_named(data_dir, publish, server, toy):
    address, served = server
    (served / "freyfaces.npy").write_bytes(toy.content)
    publish(f"{address}/freyfaces.npy")
    (data_dir / "FreyFaces").touch()  # a file where the folder should be: refused for every user, root too
    with pytest.raises(OutputError, match="cannot be written to") as caught:
        store.read(toy.name)
    assert toy.path in str(caught.value) and "\n" not in str(caught.value)


def test_a_package_without_its_file_is_to_be_reinstalled(monkeypatch):
    source = sources.Source(((sources.File("nothing.csv", None),),), "0", package="sklearn")
    monkeypatch.setitem(sources.SOURCES, "digits", source)
    with pytest.raises(ReparamError, match=r"'sklearn' lacks nothing\.csv; reinstall it"):
        store.read("digits")


def test_the_summary_is_json_without_absolute_paths(data_dir, publish, toy):
    publish()
    (data_dir / toy.path).parent.mkdir()
    (data_dir / toy.path).write_bytes(toy.content)
    summary = ensure(["digits", toy.name])
    assert json.loads(json.dumps(summary)) == summary
    assert [(entry["name"], entry["source"]) for entry in summary] == [
        ("digits", "package"),
        (toy.name, "directory"),
    ]
    file = {"path": toy.path, "bytes": len(toy.content), "sha256": toy.checksum}
    assert summary[1]["files"] == [file] and summary[1]["arrays"] == toy.arrays
    assert str(data_dir) not in json.dumps(summary)


def test_names_need_neither_torch_nor_the_packages_of_one_data_set():
    code = (
        "import sys, reparam.data as data; data.names(); heavy = {'torch', 'sklearn', 'scipy', 'pooch'}; "
        "assert not heavy & set(sys.modules); data.load; assert 'torch' in sys.modules; "
        "assert not {'torchvision', 'sklearn', 'scipy', 'pooch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", sorted(name for name in names() if sources.SOURCES[name].package is None))
def test_every_data_set_can_be_downloaded_and_files_stay_in_the_folder(name):
    for layout in sources.SOURCES[name].layouts:
        assert not any(file.path.startswith("/") or ".." in file.path for file in layout)
    assert all(file.addresses for file in sources.SOURCES[name].layouts[-1])


def test_the_table_agrees_with_torchvision():
    datasets = pytest.importorskip("torchvision.datasets")
    for name, kind in (("mnist", datasets.MNIST), ("fashion_mnist", datasets.FashionMNIST)):
        (layout,) = sources.SOURCES[name].layouts
        assert [file.path.rpartition("/")[2] for file in layout] == [file for file, _ in kind.resources]
        for file, (resource, _) in zip(layout, kind.resources, strict=True):
            assert file.addresses == tuple(mirror + resource for mirror in kind.mirrors)
    kind = datasets.Omniglot
    for file, (archive, md5) in zip(
        sources.SOURCES["omniglot"].layouts[-1], kind.zips_md5.items(), strict=True
    ):
        assert file.checksum == f"md5:{md5}"
        assert file.addresses == (f"{kind.download_url_prefix}/{archive}.zip",)


def test_a_download_without_a_published_checksum_is_judged_by_its_arrays(data_dir, publish, server, toy):
    address, served = server
    (served / "freyfaces.npy").write_bytes(b"<html>not found</html>")
    publish(f"{address}/freyfaces.npy", checksum=None)
    with pytest.raises(ReparamError, match="is corrupt and not used"):
        store.read(toy.name)
    assert left_behind(data_dir) == []
    (served / "freyfaces.npy").write_bytes(toy.content)
    assert np.array_equal(store.read(toy.name)["images"], toy.images)

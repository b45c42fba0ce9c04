"""File formats, on tiny files of known content."""

from __future__ import annotations

import gzip
import struct
import zipfile

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from reparam.data.decode import DECODERS, read_amat, read_idx


def write_idx(path, array):
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    path.write_bytes(gzip.compress(header + array.tobytes()))


@pytest.mark.parametrize("shape", [(5,), (3, 4, 2), (300, 2, 2)])
def test_idx(tmp_path, shape):
    array = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    write_idx(tmp_path / "a.gz", array)
    assert np.array_equal(read_idx(tmp_path / "a.gz"), array)


def test_idx_agrees_with_torchvision(tmp_path):
    mnist = pytest.importorskip("torchvision.datasets.mnist")
    array = np.random.default_rng(2).integers(0, 256, (4, 3, 2), dtype=np.uint8)
    write_idx(tmp_path / "a.gz", array)
    (tmp_path / "a").write_bytes(gzip.decompress((tmp_path / "a.gz").read_bytes()))
    assert np.array_equal(read_idx(tmp_path / "a.gz"), mnist.read_image_file(str(tmp_path / "a")).numpy())


def test_idx_of_another_type_is_refused(tmp_path):
    (tmp_path / "a.gz").write_bytes(gzip.compress(struct.pack(">HBBI", 0, 13, 1, 1) + b"\0\0\0\0"))
    with pytest.raises(ValueError, match="no idx file of unsigned bytes"):
        read_idx(tmp_path / "a.gz")


def test_idx_cut_short_is_refused(tmp_path):
    (tmp_path / "a.gz").write_bytes(gzip.compress(struct.pack(">HBBI", 0, 8, 1, 5) + b"\0\0"))
    with pytest.raises(ValueError):
        read_idx(tmp_path / "a.gz")


def test_the_four_mnist_files_keep_their_roles(tmp_path):
    parts = [
        np.full(shape, value, np.uint8) for value, shape in enumerate([(3, 2, 2), (3,), (2, 2, 2), (2,)])
    ]
    paths = [tmp_path / f"{k}.gz" for k in range(4)]
    for path, part in zip(paths, parts, strict=True):
        write_idx(path, part)
    arrays = DECODERS["mnist"](paths)
    for role, part in zip(("train", "train_labels", "test", "test_labels"), parts, strict=True):
        assert np.array_equal(arrays[role], part)


def test_amat_and_npz_give_the_same_arrays(tmp_path):
    rng = np.random.default_rng(3)
    splits = {
        name: rng.integers(0, 2, (n, 6), dtype=np.uint8) for name, n in zip("abc", (4, 3, 2), strict=True)
    }
    paths = []
    for name, array in splits.items():
        paths.append(tmp_path / f"{name}.amat")
        np.savetxt(paths[-1], array, fmt="%d")
        assert np.array_equal(read_amat(paths[-1]), array)
    train, valid, test = splits.values()
    np.savez_compressed(tmp_path / "all.npz", train=train, valid=valid, test=test)
    text, stored = DECODERS["static_mnist"](paths), DECODERS["static_mnist"]([tmp_path / "all.npz"])
    assert text.keys() == stored.keys() == {"train", "valid", "test"}
    assert all(np.array_equal(text[split], stored[split]) for split in text)


def test_frey_face_is_stored_pixel_by_image_in_the_mat_file(tmp_path):
    images = np.random.default_rng(4).integers(0, 256, (7, 28, 20), dtype=np.uint8)
    savemat(tmp_path / "faces.mat", {"ff": images.reshape(7, 560).T})
    np.save(tmp_path / "faces.npy", images)
    for name in ("faces.mat", "faces.npy"):
        arrays = DECODERS["frey_face"]([tmp_path / name])
        assert arrays["images"].dtype == np.uint8 and np.array_equal(arrays["images"], images)


def test_a_mushroom_is_a_bit_for_each_letter_of_each_attribute(tmp_path):
    (tmp_path / "mushrooms.data").write_text("p,x,a,?\ne,b,a,s\ne,x,a,s\n")
    arrays = DECODERS["mushroom"]([tmp_path / "mushrooms.data"])
    assert arrays["labels"].tolist() == [0, 1, 1]
    assert arrays["table"].tolist() == [[0, 1, 1, 1, 0], [1, 0, 1, 0, 1], [0, 1, 1, 0, 1]]


def test_omniglot_archives_are_read_in_the_order_of_ids(tmp_path):
    ink = np.random.default_rng(5).random((4, 105, 105)) < 0.1
    stems = ["0001_01", "0001_02", "0965_01", "0965_20"]
    archives = [tmp_path / "images_background.zip", tmp_path / "images_evaluation.zip"]
    for archive, members in zip(archives, ([1, 0], [3, 2]), strict=True):
        with zipfile.ZipFile(archive, "w") as opened:
            for member in members:
                Image.fromarray(~ink[member]).save(tmp_path / "one.png")
                opened.write(tmp_path / "one.png", f"images/Arcadian/character01/{stems[member]}.png")
    np.savez_compressed(tmp_path / "omniglot_105.npz", images=ink)
    from_archives = DECODERS["omniglot"](archives)["images"]
    assert np.array_equal(from_archives, DECODERS["omniglot"]([tmp_path / "omniglot_105.npz"])["images"])
    np.savez_compressed(tmp_path / "omniglot_28.npz", images=from_archives)
    assert np.array_equal(from_archives, DECODERS["omniglot"]([tmp_path / "omniglot_28.npz"])["images"])


def test_pickles_are_refused(tmp_path):
    np.save(tmp_path / "faces.npy", np.array([{"a": 1}]), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle"):
        DECODERS["frey_face"]([tmp_path / "faces.npy"])

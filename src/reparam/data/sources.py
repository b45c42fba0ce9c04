"""The one table of data sets: file names, checksums, addresses. A moved file costs one line here.

A data set may lie in the data folder in several layouts; any complete one serves. The last layout is
the publisher's own and the one that is downloaded. Whatever the layout, the decoded arrays must have
the SHA-256 stated here, so every layout gives the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

MNIST_MIRRORS = ("https://ossci-datasets.s3.amazonaws.com/mnist/", "http://yann.lecun.com/exdb/mnist/")
FASHION = ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",)
LAROCHELLE = ("http://www.cs.toronto.edu/~larocheh/public/datasets/binarized_mnist/",)
OMNIGLOT = ("https://raw.githubusercontent.com/brendenlake/omniglot/master/python/",)
ROWEIS = ("https://cs.nyu.edu/~roweis/data/",)
UCI = ("https://archive.ics.uci.edu/ml/machine-learning-databases/mushroom/",)


BINARISATIONS = ("none", "static", "dynamic", "threshold")  # the rules of `binarisation.prepare`


@dataclass(frozen=True)
class File:
    """One file of a layout.

    `path` is relative to the data folder. `checksum` reads "sha256:…" or "md5:…"; it is None where the
    publisher states none, and then the decoded arrays alone are checked. `addresses` are tried in order.
    """

    path: str
    checksum: str | None
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """Where a data set comes from.

    `arrays` is the SHA-256 of the decoded arrays (`store.digest`). With `package`, the files are part of
    that installed package instead of the data folder.
    """

    layouts: tuple[tuple[File, ...], ...]
    arrays: str
    package: str | None = None


def _published(folder: str, bases: tuple[str, ...], name: str, checksum: str | None) -> File:
    return File(f"{folder}/{name}", checksum, tuple(base + name for base in bases))


def _idx(folder: str, bases: tuple[str, ...], checksums: tuple[str, str, str, str]) -> tuple[File, ...]:
    names = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
    return tuple(
        _published(folder, bases, f"{name}-ubyte.gz", f"sha256:{checksum}")
        for name, checksum in zip(names, checksums, strict=True)
    )


SOURCES: dict[str, Source] = {
    "digits": Source(
        package="sklearn",
        layouts=((File("datasets/data/digits.csv.gz", None),),),
        arrays="f3414dfe4a5a24219dd0b37eed958eba904c8d9be48d45a63579df12b17ddb58",
    ),
    "breast_cancer": Source(
        package="sklearn",
        layouts=((File("datasets/data/breast_cancer.csv", None),),),
        arrays="2919190501fd035a96293fbb29564bd37d3394c97707cd9d184029b16ae14e92",
    ),
    "mushroom": Source(
        layouts=(
            (
                _published(
                    "Mushroom",
                    UCI,
                    "agaricus-lepiota.data",
                    "sha256:e65d082030501a3ebcbcd7c9f7c71aa9d28fdfff463bf4cf4716a3fe13ac360e",
                ),
            ),
        ),
        arrays="5615ec86b30e1b8792d28e122b487bdc6109e6659151855da5ac147bafad52e0",
    ),
    "mnist": Source(
        layouts=(
            _idx(
                "MNIST/raw",
                MNIST_MIRRORS,
                (
                    "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
                    "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
                    "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
                    "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
                ),
            ),
        ),
        arrays="1cc0fc080f7a2026b2510500171cf3979ccceb04b3276e94c3d4314fd72b36df",
    ),
    "fashion_mnist": Source(
        layouts=(
            _idx(
                "FashionMNIST/raw",
                FASHION,
                (
                    "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
                    "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
                    "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
                    "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
                ),
            ),
        ),
        arrays="8b8fee2f25ff3748e3a8237c13c45954543661aa62c4fffec1cf17cf3ef05401",
    ),
    "static_mnist": Source(
        layouts=(
            (
                File(
                    "MNIST_static/binarized_mnist.npz",
                    "sha256:7a049ae3a0d88e964af4b41bbdb14e4303595e1c5de65f8bd2455cdcebb3514b",
                ),
            ),
            tuple(
                _published("MNIST_static", LAROCHELLE, f"binarized_mnist_{split}.amat", f"md5:{md5}")
                for split, md5 in (
                    ("train", "db28b1a6ae0fe70cbd3da91acf46e477"),
                    ("valid", "bf37822a04e94123630de6a7dfd9c9ef"),
                    ("test", "14e41ae11040adba6ab8cb291eda0dd8"),
                )
            ),
        ),
        arrays="e49cea4139c1fd430e90570f179b2b330193159257ad3e3c17cfc5e373f3e7f6",
    ),
    "frey_face": Source(
        layouts=(
            (
                File(
                    "FreyFaces/freyfaces.npy",
                    "sha256:2177ea074dc1d5ce35294c687dfce79ced65db6d7b745d95a2e1757fcfbe41c0",
                ),
            ),
            (_published("FreyFaces", ROWEIS, "frey_rawface.mat", None),),
        ),
        arrays="9df258ff47adc12971bbb1b92b459f8edadc481ed1277ef5661519c91f547a6e",
    ),
    "omniglot": Source(
        layouts=(
            (
                File(
                    "Omniglot/omniglot_28_area.npz",
                    "sha256:b955ac015be050171413f251e8337b5b46cf11cd6815394ed78ca96929cdd285",
                ),
            ),
            (
                File(
                    "Omniglot/omniglot_105.npz",
                    "sha256:9917e615f4e280a6f1d4e5e910357053f9855a9e62585615f9a14c68fde1bd2b",
                ),
            ),
            (
                _published(
                    "Omniglot", OMNIGLOT, "images_background.zip", "md5:68d2efa1b9178cc56df9314c21c6e718"
                ),
                _published(
                    "Omniglot", OMNIGLOT, "images_evaluation.zip", "md5:6b91aef0f799c5bb55b94e3f2daec811"
                ),
            ),
        ),
        arrays="7214061c4b11187a0fad6de200811e0c6675de88b7f6dd3f0677aac1d03030d0",
    ),
}


def names() -> list[str]:
    """The names of all data sets."""
    return sorted(SOURCES)

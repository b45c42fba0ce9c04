"""A VAE with a class and a style, of whose images few have their class given (Kingma et al. 2014; Jang et al. 2017)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from reparam.distributions import Bernoulli, Normal, OneHotCategorical, standard_normal
from reparam.errors import ReparamError
from reparam.models import convolution, dense
from reparam.models.mlp import layer
from reparam.noise import generator as stream
from reparam.program import Params, Program, Sample
from reparam.tasks import read_options, register, require, require_count
from reparam.tasks.validation import hold_out

if TYPE_CHECKING:
    from reparam.data import DataSet


@dataclass(frozen=True)
class Options:
    """`data` and `binarisation` are carried out before the task is built and recorded here."""

    data: str
    binarisation: str = "none"
    valid_size: int | None = None
    """Hold out this many training rows, the last ones, for validation: their classes are known."""
    labelled: int = 100
    """Images whose class is given, as many of each."""
    labels: str = "data"
    """`data`, or `random`: drawn at random, for times of any number of classes."""
    classes: int = 10
    latent: int = 20
    """Dimension of the style z."""
    channels: tuple[int, ...] = (16, 32, 64)
    """Of the convolutions, which halve the image; the decoder mirrors them and has one layer more."""
    alpha: float = 0.1
    """Weight of log q(y|x) of the labelled images."""

    def __post_init__(self) -> None:
        for option in ("labelled", "classes", "latent"):
            require_count(option, getattr(self, option))
        require("labels", self.labels, ("data", "random"))
        if not isinstance(self.channels, list | tuple) or not self.channels:
            raise ReparamError(
                f"task: channels is {self.channels!r}; give a list of widths, such as [16, 32, 64]"
            )
        for width in self.channels:
            require_count("channels", width)
        if self.labelled % self.classes:
            raise ReparamError(
                f"task: labelled is {self.labelled}, which {self.classes} classes cannot share evenly"
            )
        if not 0 <= self.alpha < math.inf:
            raise ReparamError(f"task: alpha must be 0 or positive, got {self.alpha!r}")


@register("semi_supervised_vae")
class SemiSupervisedVae:
    """q(y|x) q(z|x, y) and p(y) p(z) p(x|y, z), y one of the classes, uniform in p, z standard normal.

    A row is an image, a labelled image and the class of that, one-hot: minibatches have as many labelled images as
    others. Its value, in nats, is the bound of log p(x) of the first and, of the second, that of log p(x, y) and
    α log q(y|x); the part of the KL divergence that z has is in closed form. A row without a class has the first part
    only, as those of `valid` and `test`, whose classes are `valid_labels` and `test_labels`. Sites: y, z, z_labelled.
    """

    sense = +1.0
    log_weight = False

    def __init__(self, options: Mapping[str, Any], dataset: DataSet) -> None:
        self.options = read_options(Options, options)
        self.binarisation = self.options.binarisation
        self.shape = dataset.shape
        self.pixels = dataset.train.shape[1]
        if self.options.labels == "random":
            made = (_random(split, rows, self.options.classes) for split, rows in _rows(dataset).items())
            train_labels, test_labels = made
        elif dataset.train_labels is None or dataset.test_labels is None:
            raise ReparamError(
                f"task: {dataset.name} has no classes: semi_supervised_vae needs a set with labels"
            )
        else:
            train_labels, test_labels = dataset.train_labels, dataset.test_labels
        images, valid, _ = hold_out(dataset, self.options.valid_size)
        count = len(images)
        chosen = self._labelled(train_labels[:count])
        partner = chosen[torch.arange(count) % len(chosen)]
        classes = torch.eye(self.options.classes)[train_labels[partner]]
        self.train = torch.cat([images, images[partner], classes], 1)
        self.valid = None if valid is None else self._alone(valid)
        self.valid_labels = None if self.options.valid_size is None else train_labels[count:]
        self.test, self.test_labels = self._alone(dataset.test), test_labels

    def _labelled(self, labels: Tensor) -> Tensor:
        """The first rows of each class, by class: row numbers [labelled]."""
        each = self.options.labelled // self.options.classes
        rows = [(labels == label).nonzero()[:each, 0] for label in range(self.options.classes)]
        if any(len(found) < each for found in rows) or int(labels.max()) >= self.options.classes:
            raise ReparamError(
                f"task: {self.options.classes} classes with {each} labelled training rows each are not in the data"
            )
        return torch.stack(rows, 1).flatten()

    def _alone(self, images: Tensor) -> Tensor:
        """Rows without a labelled image."""
        return torch.cat([images, images.new_zeros(len(images), self.pixels + self.options.classes)], 1)

    def init(self, generator: torch.Generator) -> dict[str, Tensor]:
        """Parameters in the groups `classifier`, `encoder` and `decoder`."""
        options = self.options
        flat = convolution.features(self.shape, options.channels)
        heads = {
            "classifier.y": (flat, options.classes),
            "encoder.plane": (options.classes, self.pixels),
            "encoder.mean": (flat, options.latent),
            "encoder.log_scale": (flat, options.latent),
        }
        code = options.classes + options.latent
        return {
            **convolution.init_encoder("classifier.image", 1, options.channels, generator),
            **convolution.init_encoder("encoder.image", 2, options.channels, generator),
            **convolution.init_decoder("decoder.image", code, self.shape, options.channels, generator),
            **{
                f"{name}.{part}": entry
                for name, sizes in heads.items()
                for part, entry in _affine(sizes, generator).items()
            },
        }

    def classify(self, params: Params, x: Tensor) -> OneHotCategorical:
        """q(y|x) of images [..., D]."""
        depth = len(self.options.channels)
        found = convolution.encode(params, "classifier.image", [x], self.shape, depth)
        return OneHotCategorical(logits=layer(params, "classifier.y", found))

    def encode(self, params: Params, x: Tensor, y: Tensor) -> Normal:
        """q(z|x, y) of images [..., D] and classes, one-hot or relaxed: these are a second plane."""
        planes = [x, layer(params, "encoder.plane", y)]
        found = convolution.encode(params, "encoder.image", planes, self.shape, len(self.options.channels))
        return Normal(
            layer(params, "encoder.mean", found), layer(params, "encoder.log_scale", found).clamp(-8, 8).exp()
        )

    def decode(self, params: Params, y: Tensor, z: Tensor) -> Bernoulli:
        """p(x|y, z), [..., D]."""
        code = torch.cat([y, z], -1)
        depth = len(self.options.channels)
        return Bernoulli(logits=convolution.decode(params, "decoder.image", code, self.shape, depth))

    def program(self, x: Tensor) -> Program:
        """The value of each row of x [B, 2 D + classes]: [B]."""
        image, labelled, label = x.split([self.pixels, self.pixels, self.options.classes], -1)
        given = label.sum(-1)

        def value(params: Params, sample: Sample) -> Tensor:
            def joint(x: Tensor, y: Tensor, name: str) -> Tensor:
                """The bound of log p(x, y)."""
                q = self.encode(params, x, y)
                z = sample(name, q, context=x)
                prior = -math.log(self.options.classes) - q.kl(standard_normal(z))
                return self.decode(params, y, z).log_prob(x) + prior

            q = self.classify(params, image)
            y = sample("y", q, context=image)
            alone = joint(image, y, "z") - q.log_prob(y)
            known = self.classify(params, labelled).log_prob(label)
            return alone + given * (joint(labelled, label, "z_labelled") + self.options.alpha * known)

        return value

    def reconstruct(self, params: Params, x: Tensor, z: Mapping[str, Tensor]) -> Tensor:
        """The mean image at hard samples by site, [B, D]."""
        return self.decode(params, z["y"], z["z"]).mean

    def log_prior(self, params: Params) -> Tensor:
        """The weights have no prior: 0, shape ()."""
        return next(iter(params.values())).new_zeros(())


def _rows(dataset: DataSet) -> dict[str, int]:
    return {"train": len(dataset.train), "test": len(dataset.test)}


def _random(split: str, rows: int, classes: int) -> Tensor:
    """As many of each class as of any other, in random order: [rows]."""
    order = torch.randperm(rows, generator=stream("task", "semi_supervised_vae", split))
    return order % classes


def _affine(sizes: tuple[int, int], generator: torch.Generator) -> dict[str, Tensor]:
    inputs, outputs = sizes
    return {"weight": dense.glorot(inputs, outputs, generator), "bias": torch.zeros(outputs)}

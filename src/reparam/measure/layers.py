"""Affine layers whose input is fixed: their weights' moments follow from those of their pre-activations' gradients.

For a fixed minibatch x [B, inputs] the gradient of a layer's weights is Σ_b δ_b x_bᵀ with δ_b [outputs] the gradient
at the layer's output for datum b. Where the data's noise is independent,

    Var W_ij = Σ_b Var δ_bj x_bi²    and    Var bias_j = Σ_b Var δ_bj,

so that no gradient of the weights is needed for any single draw. δ is the gradient of the layer's bias once every
datum has a bias of its own; `linear` adds such a bias as it adds a common one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import linear
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from reparam.noise import Noise, NoiseSpecs, draw, generator
from reparam.program import Params, Program, run

Estimates = dict[str, Tensor]
ROUNDING = 1e-4
"""Of the largest entry of a weight's gradient, in single precision; a layer used twice is off by more."""


class Layer(NamedTuple):
    """An affine layer of the program, by its parameters' names, and its fixed input [B, inputs]."""

    weight: str
    bias: str
    inputs: Tensor


def trusted_layers(
    program: Program,
    params: Params,
    specs: NoiseSpecs,
    noise: Noise,
    other: Noise,
    estimates: Callable[[Program, Params, Noise], Estimates],
) -> tuple[Layer, ...]:
    """The layers to which the factorisation applies, each of them tried on a few draws.

    `noise` and `other` are some draws [C, …] each, `estimates` gives the gradients [C, *parameter] of draws. A layer is
    met as one call of torch's `linear` on two parameters and an input that no sample changes. It is trusted when

    - δᵀx is the weights' gradient in every draw (the layer is used once, and is scaled as its bias is);
    - δ_b changes with the noise of datum b only: the noise of half of the data is replaced, for as many halves as
      it takes to separate every datum from every other.
    """
    layers = _seen(program, params)
    data = {len(layer.inputs) for layer in layers}
    sizes = {spec.shape[:1] for roles in specs.values() for spec in roles.values()}
    if len(data) != 1 or sizes != {(size,) for size in data}:
        return ()
    direct = estimates(program, params, noise)
    tapped = with_own_biases(program, params, layers)
    deltas, others = estimates(*tapped, noise), estimates(*tapped, other)
    layers = tuple(layer for layer in layers if _agrees(layer, deltas[layer.bias], direct))
    (size,) = data
    datum = torch.arange(size, device=next(iter(params.values())).device)
    for bit in range((size - 1).bit_length()):
        half = (datum >> bit) % 2 == 1
        mixed = estimates(*tapped, _replace(noise, other, half, specs)) if layers else {}
        layers = tuple(
            layer
            for layer in layers
            if torch.equal(
                mixed[layer.bias], torch.where(half[:, None], others[layer.bias], deltas[layer.bias])
            )
        )
    return layers


def with_own_biases(
    program: Program, params: Params, layers: Sequence[Layer]
) -> tuple[Program, dict[str, Tensor]]:
    """The program with these layers' weights held, and its parameters with a bias for each datum [B, outputs]."""
    held = {layer.weight: params[layer.weight] for layer in layers}
    own = {layer.bias: params[layer.bias].repeat(len(layer.inputs), 1) for layer in layers}
    free = {name: own.get(name, entry) for name, entry in params.items() if name not in held}
    return (lambda given, sample: program({**held, **given}, sample)), free


def whole(layers: Sequence[Layer], entries: Mapping[str, Tensor], power: int) -> dict[str, Tensor]:
    """Means (`power` 1) or variances (2) of all parameters, from those with a bias for each datum."""
    found = dict(entries)
    for layer in layers:
        delta = found[layer.bias]
        found[layer.weight] = delta.T @ layer.inputs.to(delta.dtype).pow(power)
        found[layer.bias] = delta.sum(0)
    return found


def _agrees(layer: Layer, delta: Tensor, direct: Mapping[str, Tensor]) -> bool:
    """Whether δ [C, B, outputs] gives the layer's gradients of every draw."""
    pairs = [
        (torch.einsum("cbo,bi->coi", delta, layer.inputs), direct[layer.weight]),
        (delta.sum(1), direct[layer.bias]),
    ]
    return all(
        bool((mine - own).abs().max() <= ROUNDING * own.abs().max().clamp(min=1e-30)) for mine, own in pairs
    )


def _replace(noise: Noise, other: Noise, half: Tensor, specs: NoiseSpecs) -> dict[str, dict[str, Tensor]]:
    """`noise` with the draws of these data taken from `other`."""

    def one(site: str, role: str) -> Tensor:
        spec = specs[site][role]
        data = half.reshape(-1, *(1,) * (len(spec.shape) - 1))
        return torch.where(data, other[site][role], noise[site][role])

    return {site: {role: one(site, role) for role in roles} for site, roles in noise.items()}


def _seen(program: Program, params: Params) -> tuple[Layer, ...]:
    """The candidates, met in one run with every site at a sample."""
    device, dtype = next(iter(params.values())).device, next(iter(params.values())).dtype
    source = generator("layers", device=device)

    def choose(name: str, law: Any) -> Tensor:
        z = law.path({role: draw(spec.kind, spec.shape, source, dtype) for role, spec in law.noise().items()})
        return z.detach().requires_grad_().clone() if z.is_floating_point() else z

    with torch.enable_grad(), _Watch(params) as watch:
        run(program, params, choose)
    return tuple(layer for layer in watch.layers if watch.uses[layer.weight] == watch.uses[layer.bias] == 1)


class _Watch(TorchFunctionMode):
    """Notes affine layers with parameters as weight and bias, and how often each parameter is used at all."""

    def __init__(self, params: Params) -> None:
        super().__init__()
        self.names = {id(entry): name for name, entry in params.items()}
        self.uses: Counter[str] = Counter()
        self.layers: list[Layer] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if isinstance(result, Tensor):  # a look at a shape is no use
            self.uses.update(
                self.names[id(leaf)] for leaf in tree_leaves((args, kwargs)) if id(leaf) in self.names
            )
        if func is linear:
            given = dict(zip(("input", "weight", "bias"), args, strict=False)) | kwargs
            weight, bias = (self.names.get(id(given.get(role))) for role in ("weight", "bias"))
            x = given["input"]
            if weight is not None and bias is not None and _is_worth_it(x, given["weight"]):
                self.layers.append(Layer(weight, bias, x.detach()))
        return result


def _is_worth_it(inputs: Tensor, weight: Tensor) -> bool:
    """A fixed input [B, inputs] with fewer rows than columns, and any outputs: δ is smaller than the weights."""
    fixed = inputs.ndim == 2 and not inputs.requires_grad
    return fixed and inputs.shape[0] < inputs.shape[1] and len(weight) > 0

"""What each law is and offers, for the terminal and the docs: read off its class and an example of it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import NamedTuple

from reparam import distributions
from reparam.distributions import Law
from reparam.distributions.conversion import PAIRS
from reparam.errors import ReparamError
from reparam.estimators.base import able


class LawSummary(NamedTuple):
    """A law in words."""

    name: str
    signature: str
    """Its name and parameters, as one writes them."""
    law: Law
    """An example of it."""
    about: tuple[str, ...]
    """Paragraphs."""
    noise: tuple[tuple[str, str], ...]
    """(role, words) of its base noise."""
    offers: tuple[tuple[str, str], ...]
    """(method or property, words) beside those of every law."""
    torch: str
    """Its counterpart in torch.distributions, in words."""
    estimators: tuple[str, ...]
    """Those that can handle it."""


def laws() -> dict[str, Law]:
    """An example of every law, by name."""
    return {name: kind.example() for name, kind in _kinds().items()}


def summarise_law(name: str) -> LawSummary:
    """The law of this name, in letters of any case; ReparamError when there is none."""
    kinds = _kinds()
    found = next((known for known in kinds if known.lower() == name.lower()), None)
    if found is None:
        raise ReparamError(f"there is no law {name!r}; known: {', '.join(kinds)}")
    kind = kinds[found]
    law = kind.example()
    about = inspect.cleandoc(kind.__doc__ or "").split("\n\n")
    counterpart = next((pair.torch.__name__ for pair in PAIRS if pair.law is kind), None)  # type: ignore[attr-defined]
    return LawSummary(
        found,
        _signature(kind),
        law,
        tuple(" ".join(paragraph.split()) for paragraph in about),
        tuple((role, _shape_in_words(spec.kind, spec.shape)) for role, spec in law.noise().items()),
        tuple(_offers(kind)),
        f"{counterpart}: to_torch() and from_torch() convert" if counterpart else "has none of this name",
        tuple(able(law)),
    )


def _kinds() -> dict[str, type[Law]]:
    public = {name: getattr(distributions, name) for name in sorted(distributions.__all__)}
    return {
        name: kind
        for name, kind in public.items()
        if isinstance(kind, type) and issubclass(kind, Law) and not inspect.isabstract(kind)
    }


def _signature(kind: type[Law]) -> str:
    parameters = inspect.signature(kind).parameters.values()
    shown = [
        p.name if p.default in (p.empty, None) else f"{p.name}={p.default!r}"
        for p in parameters
        if p.name != "event_dims"
    ]
    return f"{kind.__name__}({', '.join(shown)})"


def _shape_in_words(kind: str, shape: tuple[int, ...]) -> str:
    """For the example's event."""
    numbers = " × ".join(map(str, shape))
    return f"{kind}, {numbers or 'one number'} for the example"


def _offers(kind: type[Law]) -> Iterator[tuple[str, str]]:
    for name in sorted(set(dir(kind)) - set(dir(Law))):
        method = inspect.getattr_static(kind, name)
        words = inspect.getdoc(getattr(kind, name))
        if (
            not name.startswith("_")
            and words
            and (callable(getattr(kind, name)) or isinstance(method, property))
        ):
            yield name, " ".join(words.split("\n\n")[0].split())

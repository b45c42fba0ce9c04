"""An estimator's card with what follows from it: the laws it handles, what it costs, its options.

The command line, the documentation and the report all show these.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields
from itertools import pairwise
from typing import Any, Literal, get_args, get_origin, get_type_hints

import torch

from reparam.distributions import Law
from reparam.errors import ReparamError
from reparam.estimators.base import Estimator, registry
from reparam.estimators.card import Card, Objective
from reparam.estimators.laws import laws
from reparam.program import describe

OBJECTIVES: dict[Objective, str] = {
    "expectation": "E[f]",
    "bound": "the K-sample bound E[log 1/K Σ_k exp f_k]",
    "wake": "the weighted wake-phase objectives of model and sampler",
    "combination": "a combination of objectives (see the formula)",
}
EXAMPLE_SITES = ("top", "low")
FEW = 3
"""Laws that a table's cell can name."""
PLAIN_LAWS = ("Bernoulli", "OneHotCategorical", "Normal")
"""The laws that examples prefer."""


@dataclass(frozen=True)
class Option:
    """An option as it is shown; `choices` is empty where any value of its type is allowed."""

    name: str
    default: str
    choices: tuple[str, ...]
    meaning: str

    @property
    def words(self) -> str:
        """The meaning, and the choices where it does not name them."""
        if all(choice in self.meaning for choice in self.choices):
            return self.meaning
        return f"{self.meaning} One of {', '.join(self.choices)}.".strip()


@dataclass(frozen=True)
class Summary:
    """What people are told of an estimator."""

    name: str
    class_name: str
    own: bool
    """Whether it is one of this package's estimators and not of an installed plug-in."""
    card: Card
    promises: tuple[tuple[str, str], ...]
    """What the contract suite holds it to, as (subject, words)."""
    laws: tuple[str, ...]
    """The laws of `reparam.distributions` that it handles, by name."""
    any_law: bool
    """Whether it handles every law, or every one whose support is fixed."""
    evaluations: tuple[int | None, int | None]
    """Evaluations of f per estimate at the defaults, for one and for two sites of three entries each; None where
    the defaults do not fit so many sites."""
    example_law: str
    """The law of those sites; empty when it handles none of them."""
    options: tuple[Option, ...]

    @property
    def unbiased_in_short(self) -> str:
        """For a table: no, yes, or the objective of which its mean is the gradient where that is not E[f]."""
        if not self.card.unbiased:
            return "no"
        return "yes" if self.card.objective == "expectation" else self.card.objective

    @property
    def laws_in_short(self) -> str:
        """For a table: any, the laws where they are few, and else what they have in common."""
        if self.any_law:
            return "any"
        return self.card.requires.words if len(self.laws) > FEW else ", ".join(self.laws)

    @property
    def cost(self) -> tuple[tuple[str, str], ...]:
        """Evaluations of f per estimate, as (number of sites, words)."""
        return tuple(
            (sites, "not with these options" if n is None else f"{n} evaluation{'' if n == 1 else 's'} of f")
            for sites, n in zip(("one site", "two sites"), self.evaluations, strict=True)
        )

    @property
    def setting(self) -> str:
        """What the cost was counted with, as a sentence."""
        given = "; ".join(f"{name} = {_plain(value)}" for name, value in self.card.settings[0].items())
        options = f"With {given}" if given else "At the defaults"
        return f"{options}; each site has a {self.example_law} law of three entries."

    @property
    def reference(self) -> str:
        """The paper's first reference up to its year; all of it where it has none."""
        found = re.match(r".*?\b\d{4}\b(?!\.)", self.card.paper.partition(";")[0])
        return found.group() if found else self.card.paper


def summarise(name: str) -> Summary:
    """The summary of the estimator called `name`; ReparamError with the nearest name when there is none."""
    kind = registry.get(name)
    known = laws()
    fitting = _fitting(kind.card, known)
    example = next((law for law in (*PLAIN_LAWS, *fitting) if law in fitting), "")
    return Summary(
        name=name,
        class_name=kind.__name__,
        own=kind.__module__.startswith("reparam."),
        card=kind.card,
        promises=tuple(_promises(kind, known)),
        laws=fitting,
        any_law=_handles_any(fitting, known),
        evaluations=(_evaluations(kind, known.get(example), 1), _evaluations(kind, known.get(example), 2)),
        example_law=example,
        options=tuple(_options(kind)),
    )


def _handles_any(fitting: Collection[str], known: Mapping[str, Law]) -> bool:
    return all(name in fitting for name, law in known.items() if law.fixed_support)


def _fitting(card: Card, known: Mapping[str, Law]) -> tuple[str, ...]:
    return tuple(law for law, example in known.items() if card.requires.holds(example))


def _promises(kind: type[Estimator], known: Mapping[str, Law]) -> Iterator[tuple[str, str]]:
    def laws(card: Card) -> str:
        fitting = _fitting(card, known)
        names = "any" if _handles_any(fitting, known) else ", ".join(fitting) or "none of this package"
        angles = [law for law in fitting if known[law].periodic] if card.requires.scores else []
        cut = f"; of {', '.join(angles)} exact only where f is periodic" if angles else ""
        return f"{names} (it needs {card.requires.words}{cut})"

    yield "estimates", _by_option(kind, lambda card: f"the gradient of {OBJECTIVES[card.objective]}")
    yield "unbiased", _by_option(kind, lambda card: "yes" if card.unbiased else "no")
    yield (
        "needs ∂f",
        _by_option(kind, lambda card: "yes" if card.needs_derivative else "no, values of f are enough"),
    )
    yield "laws", _by_option(kind, laws)
    yield (
        "given signals",
        _by_option(kind, lambda card: "taken in place of values of f" if card.given_signal else "refused"),
    )
    yield (
        "trains",
        _by_option(kind, lambda card: ", ".join(sorted(card.tunables)) or "nothing of its own"),
    )


def _by_option(kind: type[Estimator], read: Callable[[Card], str]) -> str:
    """What the card says at the defaults, and under which options of its settings it says something else."""
    said = [(options, read(kind(**options).card)) for options in kind.card.settings]
    others: dict[str, dict[str, None]] = {}
    for options, words in said:
        if words != said[0][1]:
            decisive = [
                f"{name} = {_plain(value)}"
                for name, value in options.items()
                if all(w == words for other, w in said if other.get(name) == value)
            ]
            others.setdefault(words, {})[decisive[0] if decisive else _plain(options)] = None
    parts = [f"{words} with {' or '.join(causes)}" for words, causes in others.items()]
    return "; ".join([said[0][1], *parts])


def summaries() -> list[Summary]:
    """The summaries of all estimators by name, plug-ins included."""
    return [summarise(name) for name in registry.names()]


def _evaluations(kind: type[Estimator], law: Law | None, count: int) -> int | None:
    if law is None:
        return None
    names = EXAMPLE_SITES[:count]

    def program(params: Any, sample: Any) -> torch.Tensor:
        for name in names:
            sample(name, law)
        return torch.zeros(())

    sites = describe(program, {"unused": torch.zeros(())})
    try:
        estimator = kind(**kind.card.settings[0])
        estimator.check(sites)
    except ReparamError:
        return None
    return kind.card.evaluations(estimator, sites)


def _options(kind: type[Estimator]) -> Iterator[Option]:
    meanings: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if issubclass(base, Estimator):
            meanings |= _field_docstrings(base)
    hints = get_type_hints(kind)
    for field in fields(kind):  # type: ignore[arg-type]
        choices = get_args(hints[field.name]) if get_origin(hints[field.name]) is Literal else ()
        yield Option(field.name, _default(field), tuple(map(str, choices)), meanings.get(field.name, ""))


def _plain(value: Any) -> str:
    """An option's value in short: numbers to four digits, and {top: {name: exact}} as {top: exact}."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if not isinstance(value, Mapping):
        return str(value)
    if list(value) == ["name"]:
        return str(value["name"])
    return f"{{{', '.join(f'{key}: {_plain(entry)}' for key, entry in value.items())}}}"


def _default(field: Field[Any]) -> str:
    if field.default_factory is not MISSING:
        return _plain(field.default_factory())
    return "required" if field.default is MISSING else _plain(field.default)


def _field_docstrings(kind: type) -> dict[str, str]:
    """field → the string literal that follows it in the class."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(tree, ast.ClassDef)
    return {
        field.target.id: " ".join(str(text.value.value).split())
        for field, text in pairwise(tree.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }

"""`reparam explain`: an estimator's card, or a law, for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from reparam.errors import ReparamError
from reparam.plan import sources
from reparam.plan.terminal import write
from reparam.registry import nearest

if TYPE_CHECKING:
    from reparam.estimators.laws import LawSummary
    from reparam.estimators.summary import Summary

WIDTH = 80
"""Columns of prose: longer lines are hard to read, and where there is no terminal nothing says how long they may be."""


def show(name: str | None) -> None:
    """Print the card of the estimator, or what there is to say of the law, `name` (in letters of any case); or, without
    a name, what there is to explain.

    Raises ReparamError with the nearest name when there is none like it.
    """
    from reparam import estimators
    from reparam.estimators.laws import laws, summarise_law
    from reparam.estimators.summary import summaries, summarise

    learners = sources.learners()
    if name is None:
        _show(_index([(entry.name, entry.card.title) for entry in summaries()], learners, list(laws())))
    elif name.lower() in estimators.names():
        _show(_card(summarise(name.lower())))
    elif name in learners:
        _show(f"{name}: {learners[name]}\nA learner: it is no gradient of one expectation and has no card.")
    elif name.lower() in (law.lower() for law in laws()):
        _show(_law(summarise_law(name)))
    else:
        known = [*estimators.names(), *learners, *laws()]
        raise ReparamError(f"nothing to explain under {name!r}{nearest(name.lower(), known)}")


def _index(estimators: list[tuple[str, str]], learners: dict[str, str], laws: list[str]) -> RenderableType:
    title = Text("reparam explain <name> explains one of these:", style="bold")
    rows = _columns([*estimators, *sorted(learners.items())])
    return Group(title, "", rows, "", Text("or of these laws:", style="bold"), "", ", ".join(laws))


def _card(entry: Summary) -> RenderableType:
    card = entry.card
    return Group(
        Text.assemble((entry.name, "bold"), f"  {card.title}"),
        Rule(style="dim"),
        *_section("What it does", card.what),
        *_section("The estimate for the parameters of q, with one site", Text(card.formula)),
        *_section("Promises", _columns(entry.promises)),
        *_section("Cost of one estimate", _columns(entry.cost), entry.setting),
        *(_section("Options", _columns(_options(entry))) if entry.options else ()),
        *_section("When to use it", card.when),
        *_section("Paper", card.paper),
    )


def _law(entry: LawSummary) -> RenderableType:
    path = "differentiable in the parameters" if entry.law.reparameterized else "not differentiable"
    return Group(
        Text(entry.signature, style="bold"),
        Rule(style="dim"),
        *(part for paragraph in entry.about for part in ("", paragraph)),
        *_section("Base noise and path", _columns([*entry.noise, ("path", path)])),
        *_section("Offers, beside log_prob and path", _columns(entry.offers)),
        *_section("torch.distributions", entry.torch),
        *_section("Estimators", ", ".join(entry.estimators)),
    )


def _options(entry: Summary) -> Iterator[tuple[str, str]]:
    for option in entry.options:
        yield f"{option.name} = {option.default}", option.words


def _section(title: str, *body: RenderableType) -> tuple[RenderableType, ...]:
    return "", Text(title, style="bold"), *(Padding(part, (0, 0, 0, 2)) for part in body)


def _columns(rows: Iterable[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def _show(what: RenderableType) -> None:
    write(what, WIDTH, WIDTH)

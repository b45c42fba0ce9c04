"""Sites with different estimators in one program."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from reparam import estimators
from reparam.errors import ReparamError
from reparam.estimators.base import Estimator, Run, Sites, Terms, name_of, register, restate
from reparam.estimators.card import LAW, Card
from reparam.noise import Noise, NoiseSpec
from reparam.program import Choose, Params, Trace
from reparam.registry import nearest

Members = list[tuple[Estimator, tuple[str, ...]]]


@register("mixed")
@dataclass(frozen=True)
class Mixed(Estimator):
    """An estimator per site: `sites` maps a site's name to an estimator, its name, or {name: …, option: …}.

    Consecutive sites with equal estimators are handled together; the groups nest in the order of the sites. To a
    group, the later ones are part of f: they hand it a value whose derivative is their own estimate. All runs of
    an outer group meet the inner groups with the same noise, which is unbiased because that noise does not
    depend on the outer samples.

    Raises ReparamError for sites without an estimator, for members of another objective than E[f], for inner
    members that scale each parameter's gradient separately, and for inner members with running averages below
    enumerated sites.
    """

    sites: Mapping[str, Any] = field(default_factory=dict)
    """Site → an estimator, its name, or {name: …, option: …}; every sample site of the program needs one."""
    card = Card(
        title="An estimator for each site",
        what="Gives every sample site an estimator of its own, each of them seeing the sites after its own as "
        "part of f.",
        formula="∇ E_{z₁}[E_{z₂|z₁}[f]],  the outer gradient by one estimator, the inner by another",
        when="For programs with sites of different kinds: a label that can be enumerated above a Gaussian code, bits "
        "above Gaussians.",
        paper="Schulman et al. 2015 (arXiv:1506.05254), stochastic computation graphs",
        unbiased=True,
        needs_derivative=False,
        requires=LAW,
        evaluations=lambda estimator, sites: estimator.evaluations(sites),
        settings=(
            {"sites": {"top": {"name": "exact"}, "low": {"name": "score_function"}}},
            {"sites": {"top": {"name": "score_function"}, "low": {"name": "exact"}}},
            {"sites": {"top": {"name": "score_function"}, "low": {"name": "pathwise"}}},
        ),
    )

    def __post_init__(self) -> None:
        if not isinstance(self.sites, Mapping):
            raise ReparamError(f"mixed: sites must map each site to its estimator, got {self.sites!r}")
        made = {name: _made(name, given) for name, given in self.sites.items()}
        object.__setattr__(self, "sites", made)
        cards = [member.card for member in made.values()]
        restate(
            self,
            unbiased=all(card.unbiased for card in cards),
            needs_derivative=any(card.needs_derivative for card in cards),
            given_signal=all(card.given_signal or card.needs_derivative for card in cards),
            tunables=frozenset().union(*(card.tunables for card in cards)),
        )

    def members(self, sites: Mapping[str, Any]) -> Members:
        """The groups of consecutive sites with equal estimators, in the program's order."""
        for name in sites:
            if name not in self.sites:
                raise ReparamError(f"mixed: sample site {name!r} has no estimator: give it one under sites")
        for name in self.sites:
            if name not in sites:
                raise ReparamError(f"mixed: the program has no sample site {name!r}{nearest(name, sites)}")
        groups: Members = []
        for name in sites:
            if groups and groups[-1][0] == self.sites[name]:
                groups[-1] = (groups[-1][0], (*groups[-1][1], name))
            else:
                groups.append((self.sites[name], (name,)))
        return groups

    def evaluations(self, sites: Sites) -> int:
        """Of one estimate: those of the members multiply; a later one with averages learns at one more run."""
        members = self.members(sites)
        own = [{name: sites[name] for name in names} for _, names in members]
        counts = [member.card.evaluations(member, own[i]) for i, (member, _) in enumerate(members)]
        learning = [i for i, (m, _) in enumerate(members) if i and m.init(own[i], torch.Generator())[1]]
        return math.prod(counts) + sum(math.prod(counts[i:]) for i in learning)

    def differentiates(self, sites: Sites) -> list[tuple[Estimator, tuple[str, ...]]]:
        return [
            group
            for member, names in self.members(sites)
            for group in member.differentiates({name: sites[name] for name in names})
        ]

    def check(self, sites: Sites) -> None:
        for member, names in self.members(sites):
            member.check({name: sites[name] for name in names})
            if member.card.objective != "expectation":
                raise ReparamError(
                    f"mixed: {name_of(member)} (site {names[0]!r}) does not estimate the gradient of an expectation "
                    "and cannot be nested"
                )

    def noise(self, sites: Sites) -> dict[str, dict[str, NoiseSpec]]:
        wanted: dict[str, dict[str, NoiseSpec]] = {}
        for member, names in self.members(sites):
            wanted |= member.noise({name: sites[name] for name in names})
        return wanted

    def start(
        self, params: Params, sites: Sites, generator: torch.Generator
    ) -> tuple[dict[str, Tensor], Any]:
        tunables: dict[str, Tensor] = {}
        memory: dict[str, Any] = {}
        enumerated = False
        for member, names in self.members(sites):
            own_sites = {name: sites[name] for name in names}
            own, remembered = member.start(params, own_sites, generator)
            tunables |= {f"{kind}@{names[0]}": value for kind, value in own.items()}
            memory |= {names[0]: remembered} if remembered else {}
            if remembered and enumerated:
                raise ReparamError(
                    f"mixed: {name_of(member)} (site {names[0]!r}) keeps running averages, so the sites before it "
                    "must be sampled, not enumerated"
                )
            enumerated = enumerated or not member.noise(own_sites)
        return tunables, memory

    def estimate(
        self, run: Run, params: Params, noise: Noise, tunables: Mapping[str, Tensor], memory: Any
    ) -> Terms:
        def sampled(name: str, law: Any) -> Tensor:
            return _sample(law, noise[name]) if noise.get(name) else law.support()[0].expand(law.shape)

        members = self.members(run.sites(params, sampled))
        variance: list[bool] = []
        evaluations: dict[int, int] = {}

        def terms_at(i: int, params: Params, outer: Choose) -> Terms:
            """The terms of group i, the sites before it being chosen by `outer`."""
            member, names = members[i]

            def combined(choose: Choose) -> Choose:
                return lambda name, law: choose(name, law) if name in names else outer(name, law)

            def look(params: Params, choose: Choose) -> dict[str, Any]:
                """This group's sites; what comes after them is looked at with samples of its own."""
                later = {name for _, inner in members[i + 1 :] for name in inner}
                found = run.sites(
                    params,
                    lambda name, law: sampled(name, law) if name in later else combined(choose)(name, law),
                )
                return {name: found[name] for name in names}

            def nested(params: Params, choose: Choose) -> Trace:
                if i + 1 == len(members):
                    trace = run(params, combined(choose))
                    return trace._replace(sites={name: trace.sites[name] for name in names})
                inner = terms_at(i + 1, params, combined(choose))
                return Trace(_surrogate(members[i + 1], inner), look(params, choose), run.signals)

            terms = member.estimate(
                Nested(nested, look, run.signals),
                params,
                {name: noise[name] for name in names if name in noise},
                {
                    kind.removesuffix(f"@{names[0]}"): value
                    for kind, value in tunables.items()
                    if kind.endswith(f"@{names[0]}")
                },
                memory.get(names[0], {}),
            )
            variance.append(terms.tune_variance)
            evaluations[i] = terms.evaluations
            return terms

        terms = terms_at(0, params, sampled)
        remembered, losses, learning = dict(memory), [terms.tunable_loss], 0
        if members[0][1][0] in memory:
            remembered[members[0][1][0]] = terms.memory
        for i, (_, names) in enumerate(members[1:], start=1):
            if names[0] in memory:  # what it learns, it learns at one sample of the sites before it
                inner = terms_at(i, params, sampled)
                learning += math.prod(evaluations[k] for k in range(i, len(members)))
                remembered[names[0]] = inner.memory
                losses.append(inner.tunable_loss)
        given = [loss for loss in losses if loss is not None]
        return terms._replace(
            memory=remembered,
            evaluations=math.prod(evaluations.values()) + learning,
            tunable_loss=torch.stack(given).sum() if given else None,
            tune_variance=any(variance),
        )


@dataclass(frozen=True)
class Nested:
    """The `Run` that a group is given: later groups have become part of f."""

    run: Any
    look: Any
    signals: Mapping[str, Tensor] | None

    def __call__(self, params: Params, choose: Choose) -> Trace:
        return self.run(params, choose)

    def sites(self, params: Params, choose: Choose) -> dict[str, Any]:
        return self.look(params, choose)


def _made(name: str, given: Any) -> Estimator:
    if isinstance(given, Estimator):
        return given
    if isinstance(given, str):
        return estimators.make(given)
    if not isinstance(given, Mapping) or not isinstance(given.get("name"), str):
        raise ReparamError(
            f"mixed: sites.{name} must be an estimator, its name, or {{name: …, option: …}}, got {given!r}"
        )
    return estimators.make(given["name"], {key: value for key, value in given.items() if key != "name"})


def _sample(law: Any, noise: Mapping[str, Tensor]) -> Tensor:
    """The law's sample by the first of the draws that its estimator asked for."""
    wanted = law.noise()
    return law.path(
        {
            role: noise[role][0] if noise[role].ndim > len(spec.shape) else noise[role]
            for role, spec in wanted.items()
        }
    )


def _surrogate(member: tuple[Estimator, tuple[str, ...]], terms: Terms) -> Tensor:
    """The value of an inner group with the derivative of its estimate, on the plate of the value."""
    value = terms.value.detach()
    for loss, coefficient in zip(terms.losses, terms.coefficients, strict=True):
        if isinstance(coefficient, Mapping):
            raise ReparamError(
                f"mixed: {name_of(member[0])} (site {member[1][0]!r}) scales each parameter's gradient separately; "
                "only the estimator of the first sites may"
            )
        change = coefficient * (loss - loss.detach())
        extra = terms.value.ndim - change.ndim
        if extra:  # a site shared by the plate: its term is counted once
            change = change[(..., *(None,) * extra)] / math.prod(terms.value.shape[change.ndim :])
        value = value + change
    return value

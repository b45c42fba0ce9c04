"""Write docs/estimators.md from the cards of the estimators.

python tools/estimator_docs.py
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from reparam.estimators.summary import Summary, summaries

FILE = Path(__file__).resolve().parent.parent / "docs" / "estimators.md"
HEADER = """\
# Estimators

What each estimator of ∇ E<sub>z∼q</sub>[f(z)] does, promises and costs. `reparam explain <name>` says the same in the
terminal. Each has a card in its source; the contract tests hold it to every line of it, and this page is written from
the cards (`make docs`).

*unbiased*: its mean is the exact gradient of E[f], or of another objective where one is named, whatever the options.
*∂f*: it needs the derivative of f with respect to a sample. *f*: evaluations of f per estimate, for one site and for
two, at the defaults and with three entries per site. *trains*: parameters of its own. The formulas are estimates for
the parameters of q, with one site: z is a sample, f the value of the program, ∂f its derivative in z, θ logits, τ a
temperature, K samples. Parameters that f itself depends on have ∇ f at the samples on top of them.
"""


def page() -> str:
    """The page's Markdown: this package's own estimators, installed plug-ins left out."""
    own = [entry for entry in summaries() if entry.own]
    return "\n".join([HEADER, *_overview(own), *(line for entry in own for line in _section(entry))])


def _overview(entries: list[Summary]) -> Iterator[str]:
    yield "| estimator | unbiased | ∂f | f | trains | laws | paper |"
    yield "|---|---|---|---|---|---|---|"
    for entry in entries:
        cells = (
            f"[{entry.name}](#{entry.name})",
            entry.unbiased_in_short,
            "yes" if entry.card.needs_derivative else "no",
            ", ".join("–" if n is None else str(n) for n in entry.evaluations),
            ", ".join(sorted(entry.card.tunables)) or "–",
            entry.laws_in_short,
            entry.reference,
        )
        yield f"| {' | '.join(cells)} |"
    yield ""


def _section(entry: Summary) -> Iterator[str]:
    card = entry.card
    yield from (f"## {entry.name}", "", f"**{card.title}.** {card.what}", "")
    yield from ("```text", card.formula, "```", "")
    yield from (f"- {subject}: {words}" for subject, words in entry.promises)
    costs = ", ".join(f"{words} for {sites}" for sites, words in entry.cost)
    yield from (f"- cost of one estimate: {costs}. {entry.setting}", "")
    if entry.options:
        yield from ("| option | default | meaning |", "|---|---|---|")
        for option in entry.options:
            yield f"| `{option.name}` | {option.default} | {option.words} |".replace("|  |", "| |")
        yield ""
    paper = re.sub(r"arXiv:(\d{4}\.\d{4,5})", r"[arXiv:\1](https://arxiv.org/abs/\1)", card.paper)
    yield from (f"When to use it: {card.when}", "", f"Paper: {paper}", "")


if __name__ == "__main__":
    FILE.write_text(page(), encoding="utf-8")

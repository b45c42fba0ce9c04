"""Numbers, verdicts, tags and rules in the words of the page."""

from typing import Any

import pandas as pd

from reparam.evidence.claims import Quantity, Rule
from reparam.report.tables import is_known

# verdict: (mark, kind of chip, meaning)
VERDICTS = {
    "replicated": (
        "✓",
        "good",
        "Runs in the paper's own setting support the claim: the interval lies on its side.",
    ),
    "contradicted": ("✕", "bad", "Runs in the paper's own setting speak against the claim."),
    "holds (reduced)": ("✓", "good reduced", "Supported, but on smaller data or budgets than the paper's."),
    "fails (reduced)": (
        "✕",
        "bad reduced",
        "Spoken against, but on smaller data or budgets than the paper's.",
    ),
    "undecided": ("?", "open", "The runs allow both; the details say how many seeds would settle it."),
    "not run": ("○", "none", "No finished run at this scale; the details say what is missing."),
    "unjudged": ("–", "none", "Not a matter for a rule; the reason is one of those below."),
}
REASONS = {
    "memory": "the paper's number is known from memory only",
    "visual": "purely visual",
    "unobtainable": "the data cannot be obtained",
    "outside": "no statement that runs of this suite can test",
    "later": "its experiment is still to be added to this suite",
}
# tag: (meaning, whether the number may serve as a target)
TAGS = {
    "paper": ("printed in the paper", True),
    "figure": ("read from the paper's figure", True),
    "authors-code": ("from the authors' code", True),
    "derived": ("worked out independently of the paper", True),
    "second-hand": ("reported by others; shown, never a target", False),
    "memory": ("from memory; shown, never a target", False),
}
STATUSES = {"ok": ("✓", "good"), "diverged": ("↯", "bad"), "failed": ("✕", "bad"), "missing": ("○", "none")}


def chip(verdict: str) -> tuple[str, str]:
    """Mark and kind of a verdict's chip; a word the page does not know is shown as it is."""
    mark, kind, _ = VERDICTS.get(verdict, ("•", "none", ""))
    return mark, kind


def number(value: Any, digits: int = 4) -> str:
    """A number as a reader wants it: `digits` significant digits, a real minus sign, NaN spelt out, — for
    none."""
    if value is None or value is pd.NA or value == "":
        return "—"
    if isinstance(value, str):
        return value
    if float(value) != float(value):
        return "NaN"
    if abs(float(value)) == float("inf"):
        return "∞" if float(value) > 0 else "−∞"
    text = f"{float(value):.{digits}g}"
    if "e" in text:
        mantissa, _, exponent = text.partition("e")
        text = f"{mantissa}e{int(exponent)}"
    return text.replace("-", "−")


def percent(value: Any) -> str:
    """A probability in per cent, never rounded to certainty; — for none."""
    if not is_known(value):
        return "—"
    share = 100 * float(value)
    if share > 99:
        return "> 99 %"
    return f"{share:.0f} %" if share >= 1 else "< 1 %"


def count(value: Any) -> str:
    """A whole number; — for none."""
    return f"{int(value):,}".replace(",", "\u202f") if is_known(value) else "—"


def interval(low: Any, high: Any) -> str:
    """An interval in brackets; empty when it has no end."""
    return f"[{number(low)}, {number(high)}]" if is_known(low) or is_known(high) else ""


def quantity(part: Quantity, named: bool = True) -> str:
    """One number per seed in words; `named` says the experiment too."""
    text = f"{part.metric} minus {part.minus}" if part.minus else part.metric
    text += f" of {part.estimator}"
    if named and part.experiment:
        text += f" in {part.experiment}"
    if isinstance(part.at, tuple) and isinstance(part.at[1], str):
        text += f" (where {part.at[1]} is {part.at[0]})"
    elif isinstance(part.at, tuple):
        text += f" (at {part.at[0].replace('_', ' ')} {number(part.at[1])})"
    elif part.at != "last":
        text += f" (at the {part.at} row)"
    if part.reach is None:
        return text
    return f"the samples seen until {text} reaches the level of {quantity(part.reach)}"


def rule(given: Rule) -> str:
    """A rule of claims.yaml as a sentence."""
    left = quantity(given.left)
    right = quantity(given.right) if given.right else ""
    if given.kind == "ordering":
        more = f" by more than {number(given.margin)}" if given.margin else ""
        return f"{left} exceeds {right}{more}, seed by seed."
    if given.at_least is not None:
        asked = f"at least {number(given.at_least)}"
    elif given.at_most is not None:
        asked = f"at most {number(given.at_most)}"
    elif given.kind == "identity":
        asked = f"{number(given.target)} to a tolerance of {number(given.margin)}"
    else:
        sign = "a factor of" if given.kind == "ratio" else "±"
        asked = f"{number(given.target)} within {sign} {number(given.margin)}"
    if given.kind == "ratio":
        return f"The ratio of {left} to {right} is {asked}."
    if given.kind == "slope":
        scale = {"x": " (logarithmic)", "y": " (its logarithm)", "xy": " (both logarithmic)"}.get(
            given.log, ""
        )
        return f"The slope of {left} against {given.x or given.x_metric}{scale} is {asked}."
    return f"{left} is {asked}."

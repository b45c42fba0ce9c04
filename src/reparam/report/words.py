"""Numbers, verdicts, tags and rules in the words of the page."""

from typing import Any

import pandas as pd

from reparam.report.tables import is_known

# verdict: (mark, kind of chip, meaning)
VERDICTS = {
    "replicated": ("✓", "good", "Runs in the paper's own setting support the claim: the interval lies on its side."),
    "contradicted": ("✕", "bad", "Runs in the paper's own setting speak against the claim."),
    "holds (reduced)": ("✓", "good reduced", "Supported, but on smaller data or budgets than the paper's."),
    "fails (reduced)": ("✕", "bad reduced", "Spoken against, but on smaller data or budgets than the paper's."),
    "undecided": ("?", "open", "The runs allow both; the details say how many seeds would settle it."),
    "not run": ("○", "none", "No finished run at this scale; the details say what is missing."),
    "unjudged": ("–", "none", "Not a matter for a rule; the reason is one of the four below."),
}
REASONS = {
    "memory": "the paper's number is known from memory only",
    "visual": "purely visual",
    "unobtainable": "the data cannot be obtained",
    "outside": "the model lies outside this suite",
}
# tag: (meaning, whether the number may serve as a target)
TAGS = {
    "paper": ("printed in the paper", True),
    "figure": ("read from the paper's figure", True),
    "authors-code": ("from the authors' code", True),
    "second-hand": ("reported by others; shown, never a target", False),
    "memory": ("from memory; shown, never a target", False),
}
STATUSES = {"ok": ("✓", "good"), "diverged": ("↯", "bad"), "failed": ("✕", "bad"), "missing": ("○", "none")}


def chip(verdict: str) -> tuple[str, str]:
    """Mark and kind of a verdict's chip; a word the page does not know is shown as it is."""
    mark, kind, _ = VERDICTS.get(verdict, ("•", "none", ""))
    return mark, kind


def number(value: Any, digits: int = 4) -> str:
    """A number as a reader wants it: `digits` significant digits, a real minus sign, NaN spelt out, — for none."""
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


def count(value: Any) -> str:
    """A whole number; — for none."""
    return f"{int(value):,}".replace(",", "\u202f") if is_known(value) else "—"


def interval(low: Any, high: Any) -> str:
    """An interval in brackets; empty when it has no end."""
    return f"[{number(low)}, {number(high)}]" if is_known(low) or is_known(high) else ""


def quantity(part: dict[str, Any], inherited: dict[str, Any] | None = None) -> str:
    """One number per seed in words; what `part` does not say it inherits."""
    part = {key: value for key, value in ((inherited or {}) | part).items() if value is not None}
    minus = f" minus {part['minus']}" if "minus" in part else ""
    text = f"{part.get('metric', 'the metric')}{minus} of {part.get('estimator', 'any estimator')}"
    if "experiment" in part:
        text += f" in {part['experiment']}"
    at = part.get("at", "last")
    if isinstance(at, dict):
        text += " (" + ", ".join(f"at {key.replace('_', ' ')} {number(value)}" for key, value in at.items()) + ")"
    elif at != "last":
        text += f" ({at} row)"
    if "reach" in part:
        own = {key: part[key] for key in ("estimator", "metric") if key in part}
        return f"samples seen until {text} reaches the level of {quantity(part['reach'], own)}"
    return text


def bound(entry: dict[str, Any], kind: str) -> str:
    """What a rule asks of its number."""
    if "at_least" in entry:
        return f"at least {number(entry['at_least'])}"
    if "at_most" in entry:
        return f"at most {number(entry['at_most'])}"
    if kind == "identity":
        return f"{number(entry.get('target'))} to a tolerance of {number(entry.get('tolerance'))}"
    sign = "a factor of" if kind == "ratio" else "±"
    return f"{number(entry.get('target'))} within {sign} {number(entry.get('margin'))}"


def rule(entry: dict[str, Any]) -> str:
    """A rule of claims.yaml as a sentence."""
    kind = entry.get("kind", "")
    left = entry.get("left") or {}
    ours = quantity(left)
    other = quantity(entry["right"], {k: v for k, v in left.items() if k != "experiment"}) if "right" in entry else ""
    if kind == "ordering":
        margin = entry.get("margin")
        more = f" by more than {number(margin)}" if margin else ""
        return f"{ours} exceeds {other}{more}, seed by seed."
    if kind == "ratio":
        return f"the ratio of {ours} to {other} is {bound(entry, kind)}."
    if kind == "slope":
        x = entry.get("x", "")
        log = f" (logarithm of {' and '.join(entry['log'])})" if entry.get("log") else ""
        return f"the slope of {ours} against {x['metric'] if isinstance(x, dict) else x}{log} is {bound(entry, kind)}."
    return f"{ours} is {bound(entry, kind)}."

"""Print one closing line, in pytest's words, for several pytest runs.

python tools/sum_up_tests.py JUNIT.xml …
"""

from __future__ import annotations

import sys
from collections import Counter
from xml.etree import ElementTree


def sum_up(files: list[str]) -> str:
    """`=== 7 passed, 1 skipped in 3.20s ===` over all suites of these files."""
    total: Counter[str] = Counter()
    seconds = 0.0
    for file in files:
        for suite in ElementTree.parse(file).getroot().iter("testsuite"):
            seconds += float(suite.attrib["time"])
            total.update(
                {kind: int(suite.attrib[kind]) for kind in ("tests", "failures", "errors", "skipped")}
            )
    words = {
        "failed": total["failures"],
        "passed": total["tests"] - total["failures"] - total["errors"] - total["skipped"],
        "skipped": total["skipped"],
        "errors": total["errors"],
    }
    told = ", ".join(f"{count} {word}" for word, count in words.items() if count or word == "passed")
    return f"=== {told} in {seconds:.2f}s ==="


if __name__ == "__main__":
    print(sum_up(sys.argv[1:]))

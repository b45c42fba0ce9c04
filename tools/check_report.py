"""Open a report in headless Chromium: one file under 8 MB, no network request, no console error.

python tools/check_report.py reports/smoke/index.html
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

LIMIT_BYTES = 8_000_000


def faults(report: Path) -> list[str]:
    """What is wrong with the report, one line each."""
    found: list[str] = []
    size = report.stat().st_size
    if size > LIMIT_BYTES:
        found.append(f"{size} bytes, more than {LIMIT_BYTES}")
    address = report.resolve().as_uri()
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page()
        page.on(
            "console", lambda message: message.type == "error" and found.append(f"console: {message.text}")
        )
        page.on("pageerror", lambda error: found.append(f"script: {error}"))
        page.on(
            "request",
            lambda request: (
                request.url.startswith(("data:", "blob:"))
                or request.url.split("#")[0] == address
                or found.append(f"request: {request.url}")
            ),
        )
        page.goto(address, wait_until="networkidle")
        if not page.locator("h1").count():
            found.append("no heading: the page is empty")
        browser.close()
    return found


if __name__ == "__main__":
    problems = faults(Path(sys.argv[1]))
    print("\n".join(problems) or f"{sys.argv[1]} is sound")
    sys.exit(bool(problems))

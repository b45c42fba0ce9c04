"""The page in a real browser: nothing loaded, nothing logged, sorting and filtering, narrow and dark."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

pytestmark = pytest.mark.slow

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]

# Contrast (WCAG 2.2) of every visible text against the background behind it: how many, and the bad ones.
CONTRAST = """() => {
  const parse = c => (c.match(/[\\d.]+/g) || []).map(Number);
  const linear = v => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
  const light = c => 0.2126 * linear(c[0]) + 0.7152 * linear(c[1]) + 0.0722 * linear(c[2]);
  const behind = e => {
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] === 1) return c;
    }
    return [255, 255, 255];
  };
  const bad = [], walk = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
  let seen = 0;
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !e.checkVisibility() || e.closest("option")) continue;
    const style = getComputedStyle(e), ink = parse(e.namespaceURI.includes("svg") ? style.fill : style.color);
    const [a, b] = [light(ink), light(behind(e))].sort((x, y) => y - x), ratio = (a + 0.05) / (b + 0.05);
    seen += 1;
    if (ratio < 4.5) bad.push([ratio.toFixed(2), walk.currentNode.data.trim().slice(0, 40)]);
  }
  return [seen, bad];
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        pytest.fail(f"no browser found on PATH (looked for {', '.join(BROWSERS)}); install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser, page: Path) -> Iterator:
    """Opens the report in a window; when the test ends, nothing may have been requested, logged or thrown."""
    contexts, requests, complaints = [], [], []

    def go(width: int = 1280, scheme: str = "light") -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        tab = context.new_page()
        tab.on("request", lambda request: requests.append(request.url))
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
        tab.goto(page.as_uri())
        return tab

    yield go
    for context in contexts:
        context.close()
    assert all(url == page.as_uri() or url.startswith("data:") for url in requests), requests
    assert not complaints


def ids(tab: Page) -> list[str]:
    return [t.strip() for t in tab.locator("tbody.claim:visible .toggle").all_inner_texts()]


def sort(tab: Page, column: str) -> str | None:
    button = tab.locator("#board .sort", has_text=column)
    button.click()
    return button.locator("xpath=..").get_attribute("aria-sort")


def test_sorting_reorders_rows_and_keeps_details_with_them(open_page) -> None:
    tab = open_page()
    stated = ids(tab)
    assert sort(tab, "Claim") == "ascending"
    natural = [f"DEMO-{n}" for n in (1, 2, 3, 4, 5, 8, 9, 10, "H")]
    assert ids(tab) == natural != stated
    assert sort(tab, "Claim") == "descending"
    assert ids(tab) == natural[::-1]
    assert sort(tab, "Effect") == "ascending"
    assert ids(tab)[:2] == ["DEMO-H", "DEMO-3"]
    assert sort(tab, "Effect") == "descending"
    assert ids(tab)[:2] == ["DEMO-2", "DEMO-1"]  # what has no effect is still last
    assert sort(tab, "Verdict") == "ascending"
    assert ids(tab)[0] == "DEMO-9" and ids(tab)[-1] == "DEMO-8"
    assert tab.locator("th[aria-sort]:not([aria-sort=none])").count() == 1
    tab.get_by_role("button", name="DEMO-2", exact=True).click()
    detail = tab.locator("tbody.claim", has=tab.locator(".toggle[aria-expanded=true]")).locator(".detail")
    assert "2 comparisons" in detail.inner_text() and tab.locator(".detail:visible").count() == 1


def test_filters_hide_rows_and_count_them(open_page) -> None:
    tab = open_page()
    everything = ids(tab)
    tab.get_by_label("Verdict").select_option("undecided")
    assert sorted(ids(tab)) == ["DEMO-1", "DEMO-4"]
    assert tab.locator("#shown").inner_text() == f"2 of {len(everything)}"
    tab.get_by_label("Text").fill("score FUNCTION")
    assert ids(tab) == ["DEMO-4"]
    tab.get_by_label("Text").fill("no such words")
    assert ids(tab) == [] and tab.locator("#none-shown").is_visible()
    tab.get_by_label("Text").fill("")
    tab.get_by_label("Verdict").select_option("")
    tab.locator("select[name=paper]").select_option("demo2014")
    assert ids(tab) == everything


def test_keyboard_alone_is_enough(open_page) -> None:
    tab = open_page()
    first = tab.locator(".toggle").first
    first.focus()
    tab.keyboard.press("Enter")
    assert first.get_attribute("aria-expanded") == "true"
    tab.locator("#board .sort").first.focus()
    tab.keyboard.press("Shift+Tab")
    tab.keyboard.press("Tab")
    assert tab.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_a_link_to_a_cell_opens_it(open_page) -> None:
    tab = open_page()
    tab.locator("figure .data summary").first.click()
    link = tab.locator("figure .cells a:visible").first
    target = tab.locator(str(link.get_attribute("href")))
    assert target.get_attribute("open") is None
    link.click()
    target.locator("pre").first.wait_for(state="visible")


def test_a_link_from_the_advice_opens_the_claim_even_when_it_is_filtered_away(open_page) -> None:
    tab = open_page()
    tab.get_by_label("Text").fill("no such words")
    tab.locator(".evidence a", has_text="DEMO-2").click()
    tab.locator("#claim-demo2014-DEMO-2 .detail").wait_for(state="visible")
    assert ids(tab) == ["DEMO-2"]


@pytest.mark.parametrize("width", [390, 768, 1280, 1920])
def test_no_horizontal_scrolling_of_the_page(open_page, width: int) -> None:
    tab = open_page(width)
    tab.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    for toggle in tab.locator(".toggle").all():
        toggle.click()
    assert tab.evaluate("document.documentElement.scrollWidth") <= width


def test_prints_on_white_within_a_sheet(open_page) -> None:
    tab = open_page(700, "dark")
    tab.emulate_media(media="print")
    assert tab.evaluate("document.documentElement.scrollWidth") <= 700
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not tab.locator("#filters").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_legible(open_page, scheme: str) -> None:
    tab = open_page(1280, scheme)
    tab.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    seen, bad = tab.evaluate(CONTRAST)
    assert seen > 300
    assert bad == []


def test_the_theme_button_wins_over_the_system(open_page) -> None:
    tab = open_page(1280, "dark")
    background = "getComputedStyle(document.body).backgroundColor"
    dark = tab.evaluate(background)
    tab.get_by_role("button", name="Switch to the light theme").click()
    light = tab.evaluate(background)
    assert light != dark
    tab.reload()
    assert tab.evaluate(background) == light

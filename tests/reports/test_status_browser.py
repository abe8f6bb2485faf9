"""The status page in a real browser: silent, readable by everybody, and recognisable when it is old."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from reports.status_html import STYLESHEET, status_css, status_html
from scoring.health import Health
from tests.cli.watching import switched, until, watching
from tests.monitor.health import ninety
from tests.reports.chromium import CONTRASTS, OVERFLOWS, started_chromium, violations
from tests.reports.test_status import endpoint, hostile, record

if TYPE_CHECKING:
    from playwright.sync_api import Browser

TOML = '[endpoints.churn]\nscoring_uri = "{uri}"\nchecks = {{ every = "1s", slo = "99%" }}\n'
MARK = "<img src=x onerror=alert(1)><script>alert(2)</script>" + "wide" * 60
Scheme = Literal["light", "dark"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with started_chromium() as started:
        yield started


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Addresses of pages: ninety days, hostile words everywhere, nothing at all, and one that is well."""
    folder = tmp_path_factory.mktemp("pages")
    ninety.lived(folder / "state", 3 * 3600.0)
    (folder / STYLESHEET).write_text(status_css())
    texts = {
        "ninety": status_html(ninety.record(folder / "state", 3 * 3600.0)),
        "linked": status_html(record(endpoint()), stylesheet=STYLESHEET),
        "hostile": status_html(hostile(MARK)),
        "none": status_html(record()),
    }
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: (folder / f"{name}.html").as_uri() for name in texts}


@pytest.mark.parametrize(("media", "width"), [("screen", 1100), ("screen", 320), ("print", 760)])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_silent_and_fits(
    browser: Browser, pages: dict[str, str], scheme: Scheme, media: Literal["screen", "print"], width: int
) -> None:
    """No request but its own, no word on the console, no sideways scrolling, whatever an endpoint said."""
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    for name, address in pages.items():
        page, noise = context.new_page(), list[str]()
        page.on("console", lambda message, noise=noise: noise.append(message.text))
        page.on("pageerror", lambda error, noise=noise: noise.append(str(error)))
        page.on("dialog", lambda dialog, noise=noise: noise.append(dialog.message))
        page.on("request", lambda request, noise=noise: noise.append(request.url))
        page.emulate_media(media=media)
        page.goto(address)
        beside = [address.replace("linked.html", STYLESHEET)] if name == "linked" else []
        assert noise == [address, *beside], name
        assert page.evaluate(OVERFLOWS) is False, name
        page.close()
    context.close()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1100), ("dark", 320)])
def test_axe_finds_no_violation(browser: Browser, pages: dict[str, str], scheme: Scheme, width: int) -> None:
    """The rules of WCAG 2.2 AA that a program can check hold, and every text stands out."""
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme, bypass_csp=True)
    for name, address in pages.items():
        page = context.new_page()
        page.goto(address)
        assert violations(page) == [], name
        assert page.evaluate(CONTRASTS) == [], name
        page.close()
    context.close()


def test_the_answer_stands_in_the_first_300_pixels(browser: Browser, pages: dict[str, str]) -> None:
    """Whether it is OK and since when, before the first movement of the hand; the first Tab leads there."""
    page = browser.new_page(viewport={"width": 1100, "height": 800})
    page.goto(pages["ninety"])
    for selector in (".word", "h1", ".remark >> nth=0"):
        box = page.locator(selector).bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= 300
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "verdict"
    page.close()


def test_a_page_that_has_been_open_for_two_minutes_says_so(browser: Browser, pages: dict[str, str]) -> None:
    """Without a script: the sentence is not there at first, and is there once its time has come."""
    page = browser.new_page()
    page.goto(pages["ninety"])
    aged = page.locator(".aged")
    assert not aged.is_visible()
    assert page.evaluate("document.getAnimations().map(one => one.effect.getTiming().delay)") == [120_000]
    page.evaluate("document.getAnimations().forEach(one => one.finish())")
    assert aged.is_visible()
    page.close()


def test_a_screen_reader_is_told_what_the_drawing_shows(browser: Browser, pages: dict[str, str]) -> None:
    """Each strip is an image with the days in its name, under the heading of its endpoint."""
    page = browser.new_page()
    page.goto(pages["linked"])
    said = page.get_by_role("img").first.get_attribute("aria-label")
    assert said == "90 days: 89 well; 1 with failures, at most 13.89 % (40 of 288) on 2024-11-23"
    assert page.get_by_role("heading", level=3).first.text_content() == "churn"
    page.close()


def test_under_a_policy_without_inline_styles_the_sheet_beside_the_page_serves(browser: Browser) -> None:
    """Jenkins sends `default-src 'none'; style-src 'self'`: the linked sheet alone draws bars a day wide."""
    page = browser.new_page(viewport={"width": 1100, "height": 800})
    html = status_html(record(endpoint(state=Health.FAILED, reason="status_503")), stylesheet=STYLESHEET)
    page.route(
        "http://127.0.0.1:9/*",
        lambda route: route.fulfill(
            body=status_css() if route.request.url.endswith(".css") else html,
            content_type="text/css" if route.request.url.endswith(".css") else "text/html",
            headers={"Content-Security-Policy": "sandbox; default-src 'none'; img-src 'self'; style-src 'self'"},
        ),
    )
    page.goto("http://127.0.0.1:9/index.html")
    assert page.locator(".verdict").evaluate("e => getComputedStyle(e).borderLeftWidth") == "8px"
    assert page.locator(".days .well").evaluate("e => getComputedStyle(e).strokeDasharray") == "0.8px, 0.2px"
    page.close()


def test_the_page_of_a_real_watcher_is_readable_by_everybody(browser: Browser, tmp_path: Path) -> None:
    """Served by `redline watch --listen`: silent, without violation, and asked for again where the address says so."""
    with switched() as scoring, watching(tmp_path, TOML.format(uri=scoring.uri)) as watch:
        until(lambda: watch.page("/")[0] == 200, "the first page")
        page, noise = browser.new_page(bypass_csp=True), list[str]()
        page.on("console", lambda message: noise.append(message.text))
        answer = page.goto(f"http://{watch.address}/?refresh=3600")
        assert answer is not None
        assert answer.headers["refresh"] == "3600"
        assert "churn" in page.locator("h3").all_text_contents()
        assert violations(page) == []
        assert noise == []
        page.close()

"""The page in a real browser: silent, complete, and usable on paper, in the dark and at 320 px."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from reports.errors_html import errors_html
from reports.html import limit_html, report_css
from reports.latency import LatencyReport
from reports.latency_renderings import latency_html
from tests.reports import error_samples, samples
from tests.reports.chromium import CONTRASTS, OVERFLOWS, started_chromium, violations
from tests.reports.hostile_samples import hostile_errors, hostile_limit

if TYPE_CHECKING:
    from playwright.sync_api import Browser

LOOKS: list[tuple[Literal["light", "dark"], Literal["screen", "print"], int]] = [
    ("light", "screen", 1100),
    ("dark", "screen", 1100),
    ("light", "print", 760),
    ("light", "screen", 320),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with started_chromium() as started:
        yield started


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("pages")
    (folder / "report.css").write_text(report_css(), encoding="utf-8")
    reports = {name: limit_html(samples.ALL[name]()) for name in ("cliff", "client_limited", "not_a_load_problem")}
    reports["hostile"] = limit_html(hostile_limit("<img src=x onerror=alert(1)>" + "wide" * 60))
    reports["linked"] = limit_html(samples.cliff(), stylesheet="report.css")
    reports |= {f"errors_{name}": errors_html(error_samples.report(name)) for name in error_samples.ALL}
    reports["errors_hostile"] = errors_html(error_samples.of(*hostile_errors("<img src=x>" + "wide" * 60)))
    reports["errors_huge"] = errors_html(error_samples.of(*error_samples.huge()))
    reports["latency"] = latency_html(LatencyReport(error_samples.report()))
    for name, page in reports.items():
        (folder / f"{name}.html").write_text(page, encoding="utf-8")
    return {name: (folder / f"{name}.html").as_uri() for name in reports}


@pytest.mark.parametrize("javascript", [True, False])
@pytest.mark.parametrize(("scheme", "media", "width"), LOOKS)
def test_the_page_is_silent_and_fits(
    browser: Browser,
    pages: dict[str, str],
    scheme: Literal["light", "dark"],
    media: Literal["screen", "print"],
    width: int,
    javascript: bool,
) -> None:
    """No request but its own, no word on the console, and no sideways scrolling, in every look."""
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, java_script_enabled=javascript
    )
    for name, address in pages.items():
        page, noise = context.new_page(), list[str]()
        page.on("console", lambda message, noise=noise: noise.append(message.text))
        page.on("pageerror", lambda error, noise=noise: noise.append(str(error)))
        page.on("request", lambda request, noise=noise: noise.append(request.url))
        page.emulate_media(media=media)
        page.goto(address)
        beside = [address.replace("linked.html", "report.css")] if name == "linked" else []
        assert noise == [address, *beside], name
        assert page.evaluate(OVERFLOWS) is False, name
        page.close()
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out(browser: Browser, pages: dict[str, str], scheme: Literal["light", "dark"]) -> None:
    """The contrast of each text with what is behind it is at least 4.5 to 1."""
    context = browser.new_context(color_scheme=scheme)
    page = context.new_page()
    for name in ("cliff", "client_limited", "not_a_load_problem", "errors_managed", "errors_log_only", "latency"):
        page.goto(pages[name])
        assert page.evaluate(CONTRASTS) == [], name
    context.close()


def test_the_verdict_is_within_the_first_300_pixels(browser: Browser, pages: dict[str, str]) -> None:
    """A person has the answer before the first movement of the hand."""
    page = browser.new_page(viewport={"width": 1100, "height": 800})
    for name in ("cliff", "errors_managed", "latency"):
        page.goto(pages[name])
        for selector in (".word", "h1"):
            box = page.locator(selector).bounding_box()
            assert box is not None
            assert box["y"] + box["height"] <= 300
    page.close()


def test_the_keyboard_reaches_the_verdict_first(browser: Browser, pages: dict[str, str]) -> None:
    """The first Tab shows the way past the contents."""
    page = browser.new_page()
    page.goto(pages["cliff"])
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the verdict"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "verdict"
    page.close()


def test_paper_shows_what_is_folded_away(browser: Browser, pages: dict[str, str]) -> None:
    """Nobody can open a fold on paper."""
    page = browser.new_page()
    page.emulate_media(media="print")
    page.goto(pages["cliff"])
    assert page.locator("#trials table").evaluate("e => e.checkVisibility({contentVisibilityAuto: true})")
    assert page.locator("#trials table").evaluate("e => e.getBoundingClientRect().height") > 50
    page.close()


def test_small_screens_get_plots_drawn_for_them(browser: Browser, pages: dict[str, str]) -> None:
    """At 320 px the letters of a plot are as tall as those of the page's small print."""
    page = browser.new_page(viewport={"width": 320, "height": 800})
    page.goto(pages["cliff"])
    assert not page.locator(".wide svg").first.is_visible()
    drawn = page.locator(".narrow svg").first.bounding_box()
    assert drawn is not None
    assert drawn["width"] / 340 * 12 > 9
    page.close()


def test_under_a_policy_without_inline_styles_the_sheet_beside_the_page_serves(
    browser: Browser, tmp_path: Path
) -> None:
    """Jenkins sends `default-src 'none'; style-src 'self'`: the linked sheet alone gives the page its looks."""
    page = browser.new_page(viewport={"width": 1100, "height": 800})
    html = errors_html(error_samples.report(), stylesheet="report.css")
    policy = "sandbox; default-src 'none'; img-src 'self'; style-src 'self'"
    page.route(
        "http://127.0.0.1:9/*",
        lambda route: route.fulfill(
            body=report_css() if route.request.url.endswith(".css") else html,
            content_type="text/css" if route.request.url.endswith(".css") else "text/html",
            headers={"Content-Security-Policy": policy},
        ),
    )
    page.goto("http://127.0.0.1:9/report.html")
    assert page.locator(".verdict").evaluate("e => getComputedStyle(e).borderLeftWidth") == "8px"
    assert not page.locator(".narrow").first.is_visible()
    assert page.locator(".wide svg").first.is_visible()
    page.close()


@pytest.mark.parametrize("width", [1100, 320])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation(
    browser: Browser, pages: dict[str, str], scheme: Literal["light", "dark"], width: int
) -> None:
    """The rules of WCAG 2.2 AA that a program can check hold on every page, in the dark and on a small screen."""
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, bypass_csp=True, reduced_motion="reduce"
    )
    for name, address in pages.items():
        page = context.new_page()
        page.goto(address)
        assert violations(page) == [], name
        page.close()
    context.close()

"""A real browser, and what is asked of a page in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = os.environ.get("REDLINE_CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
OVERFLOWS = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
CONTRASTS = """() => {
  const channel = v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const parts = color => color.match(/[\\d.]+/g).map(Number);
  const light = color => {
    const [r, g, b] = parts(color).map(v => channel(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = element => {
    for (let e = element; e; e = e.parentElement) {
      const color = getComputedStyle(e).backgroundColor;
      if ((parts(color)[3] ?? 1) > 0) return color;
    }
    return 'rgb(255, 255, 255)';
  };
  const poor = [];
  for (const e of document.querySelectorAll('body *')) {
    const own = [...e.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
    if (!own || !e.checkVisibility() || e.closest('svg')) continue;
    const [a, b] = [light(getComputedStyle(e).color), light(behind(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) poor.push([e.tagName, e.textContent.trim().slice(0, 40), ratio.toFixed(2)]);
  }
  return poor;
}"""
VIOLATIONS = "axe.run().then(result => result.violations.map(one => [one.id, one.nodes[0].html]))"


@contextmanager
def started_chromium() -> Iterator[Browser]:
    """Chromium until the block ends; the test is skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not Path(CHROMIUM).exists():
        pytest.skip(f"no Chromium at {CHROMIUM}; set REDLINE_CHROMIUM")
    with playwright.sync_playwright() as running:
        started = running.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield started
        started.close()


def _axe_source() -> str | None:
    """The text of axe-core where it is installed: in .node or wherever NODE_PATH names."""
    places = [Path(__file__).parents[2] / ".node" / "node_modules"]
    places += [Path(one) for one in os.environ.get("NODE_PATH", "").split(os.pathsep) if one]
    files = [place / "axe-core" / "axe.min.js" for place in places]
    return next((file.read_text(encoding="utf-8") for file in files if file.is_file()), None)


def violations(page: Page) -> object:
    """What axe-core finds against WCAG 2.2 AA on the page; the test is skipped where axe-core is not installed."""
    source = _axe_source()
    if source is None:
        pytest.skip("axe-core is not installed: npm install --prefix .node axe-core")
    page.evaluate(source)
    return page.evaluate(VIOLATIONS)

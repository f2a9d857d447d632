"""Debian's Chromium, where it is installed, driven by Playwright; tests skip where it is not."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page, ViewportSize

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
DESKTOP: "ViewportSize" = {"width": 1200, "height": 900}
PHONE: "ViewportSize" = {"width": 390, "height": 844}


def find_chromium() -> str:
    """Its path; skips the test where there is none (`apt-get install chromium-headless-shell`)."""
    found = os.environ.get("FMNIST_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("no Chromium here; on Debian: apt-get install chromium-headless-shell")
    return found


@contextmanager
def opened(
    file: Path, *, is_phone: bool = False, is_dark: bool = False
) -> "Iterator[tuple[Page, list[str]]]":
    """A page that has drawn its charts, and what went wrong so far: errors, requests, warnings."""
    from playwright.sync_api import sync_playwright

    complaints: list[str] = []
    chromium = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        context = browser.new_context(
            viewport=PHONE if is_phone else DESKTOP,
            color_scheme="dark" if is_dark else "light",
            offline=True,
        )
        page = context.new_page()
        page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.on(
            "request",
            lambda request: complaints.append(request.url) if _is_net(request.url) else None,
        )
        page.goto(file.resolve().as_uri())
        page.wait_for_selector("html[data-ready=yes]")
        yield page, complaints
        browser.close()


def _is_net(url: str) -> bool:
    return not url.startswith(("file:", "data:", "blob:"))

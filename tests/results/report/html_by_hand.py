"""The page of a report as a browser's parser sees it: which elements and attributes it has."""

import re
from collections.abc import Set as AbstractSet
from html.parser import HTMLParser
from pathlib import Path

from results.report import page, pictures

TEMPLATE = (Path(page.__file__).parent / "page.html").read_text(encoding="utf-8")
WRITTEN = TEMPLATE + Path(pictures.__file__).read_text(encoding="utf-8")
OWN_ELEMENTS = {*re.findall(r"<([a-z][a-z0-9]*)", WRITTEN), "th", "td"}
OWN_ATTRIBUTES = {*re.findall(r'([a-z][a-z-]*)="', WRITTEN), "hidden", "selected", "checked"}


class _Names(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.num_scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.num_scripts += tag == "script"


def assert_own_elements(html: str) -> None:
    """No element and no attribute comes from anything but the template."""
    names = _Names()
    names.feed(html)
    names.close()
    _assert_within(names.elements, OWN_ELEMENTS)
    _assert_within(names.attributes, OWN_ATTRIBUTES)
    assert names.num_scripts == TEMPLATE.count("<script")


def _assert_within(found: AbstractSet[str], own: AbstractSet[str]) -> None:
    assert found <= own, found - own

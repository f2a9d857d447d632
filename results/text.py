"""Numbers and names as a person reads them: the one place that scales units.

Everything else is in base units. It is also the one place that decides how a text from outside is
shown: `visible` for names, `one_line` for sentences.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile

MOST_CHARS = 60  # of a name: a path must not push the numbers out
# what programs write to colour their words: control sequences, and those of window titles and links
_COLOURS = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")
_SETTING_KEYS = re.compile(r"(\(|, )\w+=")  # of a label such as `v0 (optimizer=sgd, batch_size=32)`
_BREAKS = re.compile(r"[^\S ]+")
# letters and marks that no font draws (Unicode's Default_Ignorable_Code_Point); Python calls these
# printable, and all others of that kind not
_UNDRAWN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def visible(text: str) -> str:
    r"""The text with each character that steers a terminal, or that nobody sees, as JSON writes it.

    So no name looks like another: `\u202e` stands for the mark that turns the writing round, `\n`
    for a line break. Inside JSON the text stays the same value.
    """
    if text.isprintable() and (text.isascii() or not _UNDRAWN.search(text)):
        return text
    return "".join(
        char if char.isprintable() and not _UNDRAWN.match(char) else _escape(char) for char in text
    )


def visible_lines(text: str) -> str:
    """The text with its line breaks as they are, and each line as `visible` has it."""
    return "\n".join(map(visible, text.split("\n")))


def one_line(text: str) -> str:
    """A sentence on one line: without colours, line breaks and tabs as blanks, the rest visible."""
    parts = _BREAKS.split(_COLOURS.sub("", text))
    return visible(" ".join(filter(None, (part.strip(" ") for part in parts))))


def json_text(value: object) -> str:
    """A value as indented JSON that ends in a newline, and that no name in it can disturb.

    Characters that nobody sees are escaped, so what is read back is what was written.
    """
    import msgspec

    return visible_lines(msgspec.json.format(msgspec.json.encode(value)).decode()) + "\n"


def cut(text: str, most: int = MOST_CHARS) -> str:
    """The text on one line, its end left out where it is too long."""
    text = one_line(text)
    return text if len(text) <= most else text[: max(1, most - 1)] + "…"


def cut_name(name: str, most: int = MOST_CHARS) -> str:
    """The name on one line, its middle left out where it is too long.

    That of a net in a user's file begins with the file and ends with what is called in it.
    """
    name = one_line(name)
    if len(name) <= most:
        return name
    head = (most - 1) // 2
    return f"{name[:head]}…{name[head + 1 - most :]}"


def distinct(values: Iterable[object]) -> list[str]:
    """The values as texts, each once, in the order in which they came; None and "" are left out."""
    return list(dict.fromkeys(str(value) for value in values if value is not None and value != ""))


def listed(texts: Iterable[str], most: int | None = None, between: str | None = None) -> str:
    """Join texts as `a, b and c`, or as `a, b and 6 more` where there are more than most + 1.

    Args:
        texts: What to name.
        most: How many of many to name; None for all.
        between: What separates all of them, as in `a / b / and 6 more`, instead of commas and a
            last `and`.
    """
    names = list(texts)
    if most is not None and len(names) > most + 1:
        word = "" if between is None else "and "
        names[most:] = [f"{word}{len(names) - most:,} more"]
    if between is not None:
        return between.join(names)
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def plural(count: int, noun: str) -> str:
    """A count with its noun: 1 seed, 3 seeds, 1,200 records."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def format_count(value: float) -> str:
    """A count to three digits: 640, 7.85 k, 24.6 M, 1.13 G."""
    return _scaled(value, 1000, ("", " k", " M", " G", " T", " P"))


def format_bytes(value: float) -> str:
    """Bytes to three digits: 512 B, 48.0 MiB, 1.20 GiB."""
    return _scaled(value, 1024, (" B", " KiB", " MiB", " GiB", " TiB"))


def format_seconds(value: float) -> str:
    """Seconds to three digits, milliseconds below a tenth of a second: 12.3 s, 45.0 ms."""
    return f"{three_digits(value)} s" if value >= 0.1 else f"{three_digits(value * 1e3)} ms"


def format_joules(value: float) -> str:
    """Joules to three digits: 0.52 J, 512 J, 1.25 kJ."""
    return _scaled(value, 1000, (" J", " kJ", " MJ"))


def format_latency(value: float) -> str:
    """Microseconds to three digits: 1.86 us."""
    return f"{three_digits(value * 1e6)} us"


def format_percent(fraction: float) -> str:
    """A target as percent: 90 %, 92.5 %."""
    return f"{fraction * 100:.6g} %"


def three_digits(value: float) -> str:
    """A number to three significant digits, never in powers of ten above one: 0.12, 9.41, 1234."""
    if abs(value) >= 99.95:
        return f"{value:.0f}"
    if abs(value) >= 9.995:
        return f"{value:.1f}"
    return f"{value:.2f}" if abs(value) >= 0.995 or value == 0 else f"{value:.3g}"


def _scaled(value: float, base: int, units: Sequence[str]) -> str:
    for unit in units[:-1]:
        if abs(value) < base - 0.5:
            is_whole = unit == units[0] and value == round(value)  # 7 parameters, not 7.00
            return (f"{value:.0f}" if is_whole else three_digits(value)) + unit
        value /= base
    return three_digits(value) + units[-1]


def format_ratio(ratio: float) -> str:
    """A ratio to hundredths, from ten on to three digits: 0.25, 1.23, 24.1."""
    return f"{ratio:.2f}" if ratio < 9.995 else three_digits(ratio)


def percent(fraction: float) -> str:
    """An accuracy for a person: 90.52 %."""
    return f"{fraction * 100:.2f} %"


def points(fraction: float) -> str:
    """A difference of accuracies in percentage points: hundredths, tenths from ten on."""
    return f"{fraction * 100:.2f}" if abs(fraction) < 0.09995 else f"{fraction * 100:.1f}"


def short_names(names: Sequence[str], characters: int) -> dict[str, str]:
    """Each name, cut to so many characters; names alike when cut keep what tells them apart.

    That is the values of settings without their keys, or else where they begin to differ, or else
    their ends, or else a number.
    """
    short = {name: cut(name, characters) for name in names}
    if _alike(short):
        short = {name: cut(_SETTING_KEYS.sub(r"\1", name), characters) for name in names}
    for shorter in (_from_first_difference, _ends):
        for alike in _alike(short):
            short |= shorter(alike, characters)
    return short | _numbered([name for alike in _alike(short) for name in alike], characters)


def _alike(short: Mapping[str, str]) -> list[list[str]]:
    """The names that are short alike, of each short name that several have."""
    bearers: dict[str, list[str]] = {}
    for name, text in short.items():
        bearers.setdefault(text, []).append(name)
    return [names for names in bearers.values() if len(names) > 1]


def _from_first_difference(names: Sequence[str], characters: int) -> dict[str, str]:
    first = _first_difference(names)
    head = names[0][: (characters - 1) // 2]
    rest = characters - len(head) - 1
    return {name: f"{head}…{cut(name[first:], rest)}" for name in names}


def _ends(names: Sequence[str], characters: int) -> dict[str, str]:
    return {name: f"…{name[1 - characters :]}" for name in names}


def _numbered(names: Sequence[str], characters: int) -> dict[str, str]:
    marks = {name: f"#{number}" for number, name in enumerate(names, start=1)}
    return {name: cut(name, max(1, characters - len(mark))) + mark for name, mark in marks.items()}


def _escape(char: str) -> str:
    code = json.dumps(char)[1:-1]
    return code if len(code) > 1 else f"\\u{ord(char):04x}"  # of 0x7f JSON has no need


def _first_difference(names: Sequence[str]) -> int:
    """Where the names begin to differ; a number there counts as one: 30s and 3epochs."""
    same = takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    first = len(list(same))
    while names[0][:first][-1:].isdigit():
        first -= 1
    return first

"""The table for the terminal, held by golden text."""

import io
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from rich.console import Console

from results import RunRecord, summarize, table_rows
from results.render.footer import footer_lines
from results.render.table import render_table
from results.text import (
    format_bytes,
    format_count,
    format_joules,
    format_latency,
    format_seconds,
    three_digits,
)
from tests.golden_text import WIDTHS, assert_golden
from tests.results.records_by_hand import ENVIRONMENT, LIMIT, make_record, make_sweep, make_values


def drawn(records: Sequence[RunRecord], width: int, **options: Any) -> str:  # noqa: ANN401
    """The table as a file would get it, without blanks at the ends of lines."""
    rows = table_rows(summarize(records, by=options.get("by", "model")))
    console = Console(file=io.StringIO(), width=width, no_color=True, force_terminal=False)
    console.print(render_table(rows, width=width, **options))
    assert isinstance(console.file, io.StringIO)
    return "".join(f"{line.rstrip()}\n" for line in console.file.getvalue().splitlines())


def footer(records: Sequence[RunRecord]) -> str:
    return "\n".join(footer_lines(summarize(records))) + "\n"


@pytest.mark.parametrize("width", WIDTHS)
def test_the_table_looks_as_it_should(width: int) -> None:
    assert_golden(f"table_{width}.txt", drawn(make_sweep(), width, title="Fashion-MNIST"))


def test_the_footer_reads_as_it_should() -> None:
    assert_golden("footer.txt", footer(make_sweep()))


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_a_table_fits_and_squeezes_no_number(width: int) -> None:
    lines = drawn(make_sweep(), width).splitlines()
    assert max(map(len, lines)) <= width
    assert len(lines) == 2 + 7  # nothing wraps
    assert not [line for line in lines[:7] if "…" in line]
    assert "94.15 ± 0.23*" in lines[2]


def test_a_wider_table_only_adds_columns() -> None:
    headers = [drawn(make_sweep(), width).split("\n")[0].split() for width in range(40, 201, 20)]
    for narrow, wide in pairwise(headers):
        assert wide[: len(narrow)] == narrow


def test_a_failed_row_says_why_in_place() -> None:
    table = drawn(make_sweep(), 120)
    assert "\nalexnet      diverged: the loss is not finite at step 210 of 1266\n" in table
    assert "alexnet224   out_of_memory: CUDA out of memory" in table


def test_only_failures_make_a_table_too() -> None:
    table = drawn([make_record(status="crashed", reason="signal\n\x1b[31m 9\t!")], 80)
    assert table == "v0     crashed: signal [31m 9 !\n"


def test_a_single_row_is_the_best_of_nothing() -> None:
    assert "*" not in drawn([make_record(values=make_values(0.9, 1, 7_850, 2**20))], 200)


def test_best_is_bold_as_well_as_marked() -> None:
    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system="truecolor")
    console.print(render_table(table_rows(summarize(make_sweep())), width=80))
    assert isinstance(console.file, io.StringIO)
    assert "\x1b[1m94.15 ± 0.23*" in console.file.getvalue()


def test_equal_train_times_have_no_best() -> None:
    records = [
        make_record(model, values=make_values(0.9, seconds, 9, 9), spec={"budget": "60s"})
        for model, seconds in (("v0", 60.001), ("v1", 60.002))
    ]
    assert "60.0 s*" not in drawn(records, 200)


def test_names_with_brackets_are_no_markup() -> None:
    record = make_record("[bold]my_net.py:Net", values=make_values(0.9, 1, 9, 9))
    assert "[bold]my_net.py:Net" in drawn([record], 200)


def test_a_long_name_leaves_room_for_the_numbers() -> None:
    record = make_record("models/" + "x" * 300, values=make_values(0.9, 1, 9, 9))
    table = drawn([record], 60)
    assert "…" in table
    assert "90.00" in table


@pytest.mark.parametrize(
    ("changes", "header"),
    [
        ({"spec": {"recipe": {"name": "adam"}}}, "recipe"),
        ({"spec": {"budget": "60s"}}, "budget"),
        ({"spec": {"plan": "eager"}}, "plan"),
        ({"environment": ENVIRONMENT | {"device": "CPU"}}, "device"),
    ],
)
def test_what_tells_rows_apart_stands_beside_the_name(changes: dict[str, Any], header: str) -> None:
    values = make_values(0.9, 1, 9, 9)
    table = drawn([make_record(values=values), make_record(values=values, **changes)], 60)
    assert table.split()[:2] == ["model", header]


def test_plans_that_differ_between_models_are_no_news() -> None:
    values = make_values(0.9, 1, 9, 9)
    records = [make_record("v1", values=values), make_record(values=values, spec={"plan": "eager"})]
    assert "plan" not in drawn(records, 200)
    assert drawn(records, 200, by="plan").split()[:2] == ["model", "plan"]


def test_by_commit_shows_the_commit() -> None:
    record = make_record(values=make_values(0.9, 1, 9, 9), commit="a" * 40)
    table = drawn([record], 80, by="commit")
    assert table.split()[:2] == ["model", "commit"]
    assert "a" * 10 in table


def test_an_empty_table_says_so() -> None:
    assert drawn([], 80) == "no records\n"
    assert footer_lines([]) == []


def test_the_footer_warns_of_rows_that_must_not_be_ranked() -> None:
    records = [make_record("v0"), make_record("v1", spec={"budget": "60s"})]
    first, second, *_ = footer(records).splitlines()
    assert (
        first == "Not comparable: budget is 3epochs for v0 but 60s for v1: do not rank these rows."
    )
    assert second.startswith("budget 3epochs / 60s, recipe sgd,")


def test_the_footer_explains_flags_and_unknowns() -> None:
    missing = {"energy": "no NVML library"}
    record = make_record(flags=("throttled", "odd"), missing=missing)
    text = footer([record])
    assert text.startswith("throttled (v0): its GPU was slowed down for power or heat;")
    assert "\nodd: v0.\n" in text
    assert "energy unknown: no NVML library.\n" in text
    assert "one seed, so no interval over seeds" in text


def test_the_footer_says_a_reason_once_for_all_that_it_hides() -> None:
    missing = {"idle_power": "no NVML", "energy": "no NVML", "overrun": "counted"}
    text = footer([make_record("v0", values={}, missing=missing)])
    assert "energy, idle_power unknown: no NVML.\noverrun unknown: counted.\n" in text


def test_the_footer_names_the_seeds_that_failed_to_learn() -> None:
    flags: tuple[tuple[str, ...], ...] = (("at_chance",), (), ("at_chance",))
    records = [make_record("v2", seed, flags=held) for seed, held in enumerate(flags)]
    assert "at_chance (v2 seed 0 and 2): " in footer(records)


def limited(model: str, percent: float | None, **limit: object) -> RunRecord:
    share = {} if percent is None else {"percent_of_floor": percent}
    conditions = {} if percent is None else {"limit": LIMIT | limit}
    values = make_values(0.9, 1, 7_850, 2**20) | share
    return make_record(model, values=values, conditions=conditions)


def test_a_wide_table_says_how_near_the_floor_a_model_came() -> None:
    records = [
        limited("v0", 0.123, binds="latency"),
        limited("v1", 41.3),
        limited("v2", 7.96, binds="bandwidth"),
        limited("resnet8", None),
    ]
    header, _, *rows = drawn(records, 220).splitlines()
    assert "of floor" in header
    cells = ["-" if row.endswith("-") else " ".join(row.split()[-3:]) for row in rows]
    assert cells == ["-", "0.12 % latency", "41 % compute", "8 % bandwidth"]


def test_the_footer_states_the_ceilings() -> None:
    records = [limited("v0", 3.0), limited("v1", 4.0, bytes_per_s=7.2e12), limited("v2", None)]
    line = "measured ceilings: matmul bf16 788 TFLOP/s, copy 4.31 T to 7.20 TB/s by size, "
    assert f"{line}latency 1.20 us.\n" in footer(records)
    assert "copy 4.31 TB/s by size" in footer(records[:1])
    unknown = limited("v0", 3.0, flops_per_s=None, bytes_per_s=None)
    assert "measured ceilings: latency 1.20 us.\n" in footer([unknown])
    assert "ceilings" not in footer(records[2:])


def test_a_cost_that_one_seed_bore_for_all_is_not_unknown() -> None:
    first = make_record("v0", 0, values={"compile_time": 9.0})
    later = make_record("v0", 1, values={}, missing={"compile_time": "spent once"})
    assert "compile_time" not in footer([first, later])
    assert "compile_time unknown: spent once.\n" in footer([later])
    assert "compile_time unknown (v0): " in footer([later, make_record("v1")])


def test_the_footer_counts_the_images_of_the_test() -> None:
    confusion = [[10] * 10 for _ in range(10)]
    assert "at 90 % on 1,000 images" in footer([make_record(confusion=confusion)])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (format_count(640), "640"),
        (format_count(999.6), "1.00 k"),
        (format_count(7_850), "7.85 k"),
        (format_count(999_600), "1.00 M"),
        (format_count(24_555_978), "24.6 M"),
        (format_bytes(512), "512 B"),
        (format_bytes(1023 * 2**20), "1023 MiB"),
        (format_bytes(1.2 * 2**30), "1.20 GiB"),
        (format_seconds(0.0451), "45.1 ms"),
        (format_seconds(0.2214), "0.221 s"),
        (format_seconds(9.996), "10.0 s"),
        (format_seconds(99.96), "100 s"),
        (format_seconds(5400), "5400 s"),
        (format_count(3.42), "3.42"),
        (format_joules(0.52), "0.52 J"),
        (format_joules(90.77), "90.8 J"),
        (format_joules(24_682), "24.7 kJ"),
        (format_latency(9.04e-7), "0.904 us"),
        (three_digits(0), "0.00"),
        (three_digits(0.00123), "0.00123"),
    ],
)
def test_units_are_scaled_to_three_digits(text: str, expected: str) -> None:
    assert text == expected

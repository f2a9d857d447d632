"""The table for the terminal, held by golden text."""

from collections.abc import Sequence
from typing import Any

import pytest

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
from tests.golden_text import WIDTHS, assert_golden, shown
from tests.results.records_by_hand import ENVIRONMENT, LIMIT, make_record, make_sweep, make_values


def drawn(records: Sequence[RunRecord], width: int, **options: Any) -> str:  # noqa: ANN401
    """The table as a file would get it, without blanks at the ends of lines."""
    rows = table_rows(summarize(records, by=options.get("by", "model")))
    return shown(render_table(rows, width=width, **options), width=width)


def footer(records: Sequence[RunRecord]) -> str:
    return "\n".join(footer_lines(summarize(records))) + "\n"


@pytest.mark.parametrize("width", WIDTHS)
def test_the_table_looks_as_it_should(width: int) -> None:
    assert_golden(f"table_{width}.txt", drawn(make_sweep(), width, title="Fashion-MNIST"))


def test_the_footer_reads_as_it_should() -> None:
    assert_golden("footer.txt", footer(make_sweep()))


def test_a_table_fits_squeezes_no_number_and_wider_only_gains_columns() -> None:
    before: list[str] = []
    for width in range(40, 201, 8):
        lines = drawn(make_sweep(), width).splitlines()
        assert max(map(len, lines)) <= width
        assert len(lines) == 2 + 7  # nothing wraps
        assert not [line for line in lines[:7] if "…" in line]
        header = lines[0].split()
        assert header[: len(before)] == before
        before = header


def test_only_failures_make_a_table_too() -> None:
    table = drawn([make_record(status="crashed", reason="signal\n\x1b[31m 9\t!")], 80)
    assert table == "v0     crashed: signal 9 !\n"


def test_best_is_bold_as_well_as_marked() -> None:
    table = render_table(table_rows(summarize(make_sweep())), width=80)
    assert "\x1b[1m94.15 ± 0.23*" in shown(table, width=80, colours="truecolor")


VALUES = make_values(0.9, 1, 9, 9)


def test_a_single_row_and_equal_train_times_have_no_best() -> None:
    assert "*" not in drawn([make_record(values=VALUES)], 200)
    records = [
        make_record(model, values=make_values(0.9, seconds, 9, 9), spec={"budget": "60s"})
        for model, seconds in (("v0", 60.001), ("v1", 60.002))
    ]
    assert "60.0 s*" not in drawn(records, 200)


def test_names_are_no_markup_and_leave_room_for_the_numbers() -> None:
    assert "[bold]my_net.py:Net" in drawn([make_record("[bold]my_net.py:Net", values=VALUES)], 200)
    table = drawn([make_record("models/" + "x" * 300, values=VALUES)], 60)
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
    table = drawn([make_record(values=VALUES), make_record(values=VALUES, **changes)], 60)
    assert table.split()[:2] == ["model", header]


def test_plans_that_differ_between_models_are_no_news_and_by_says_what_is() -> None:
    records = [make_record("v1", values=VALUES), make_record(values=VALUES, spec={"plan": "eager"})]
    assert "plan" not in drawn(records, 200)
    assert drawn(records, 200, by="plan").split()[:2] == ["model", "plan"]
    table = drawn([make_record(values=VALUES, commit="a" * 40)], 80, by="commit")
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


def test_the_footer_explains_flags_and_says_a_reason_once_for_all_that_it_hides() -> None:
    missing = {"idle_power": "no NVML", "energy": "no NVML", "overrun": "counted"}
    text = footer([make_record(flags=("throttled", "odd"), missing=missing)])
    assert text.startswith("throttled (v0): its GPU was slowed down for power or heat;")
    assert "\nodd: v0.\n" in text
    assert "energy, idle_power unknown: no NVML.\noverrun unknown: counted.\n" in text
    assert "one seed, so no interval over seeds" in text


def test_the_footer_names_a_flags_seeds_once_and_some_of_many_commits() -> None:
    records = [
        make_record("v2", seed, flags=flags, commit=f"{turn:010x}", conditions={"turn": turn})
        for turn in range(50)
        for seed, flags in ((0, ("at_chance",)), (1, ()), (2, ("at_chance",)))
    ]
    text = footer(records)
    assert "at_chance (v2 seed 0 and 2): " in text
    assert "commit 0000000000 / 0000000001 / 0000000002 / and 47 more." in text


def test_the_footer_names_the_switches_that_a_net_has_turned() -> None:
    """Without their names nobody knows what to look for in the file."""
    flags = ("touched_switches",)
    text = footer(
        [
            make_record("v0", flags=flags, conditions={"touched": ["float32_matmul_precision"]}),
            make_record("v1", flags=flags, conditions={"touched": ["gc", "warnings"]}),
        ]
    )
    assert text.startswith(
        "touched_switches (v0: float32_matmul_precision, v1: gc and warnings): its code turns "
        "these for the whole process; they were put back around it; say --precision instead.\n"
    )
    text = footer([make_record("v1", flags=flags, conditions={"touched": ["gc"]})])
    assert text.startswith("touched_switches (v1: gc): ")
    assert "instead" not in text.splitlines()[0]


def limited(model: str, percent: float | None, **limit: object) -> RunRecord:
    share = {} if percent is None else {"percent_of_floor": percent}
    conditions = {} if percent is None else {"limit": LIMIT | limit}
    values = make_values(0.9, 1, 7_850, 2**20) | share
    return make_record(model, values=values, conditions=conditions)


def test_a_wide_table_says_how_near_the_floor_a_model_came() -> None:
    records = [limited("v0", 0.123, binds="latency"), limited("v1", 41.3)]
    records += [limited("v2", 7.96, binds="bandwidth"), limited("resnet8", None)]
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


def test_units_are_scaled_to_three_digits() -> None:
    counts = {640: "640", 999.6: "1.00 k", 7_850: "7.85 k", 999_600: "1.00 M", 3.42: "3.42"}
    assert {value: format_count(value) for value in counts} == counts
    assert format_count(24_555_978) == "24.6 M"
    sizes = {512: "512 B", 1023 * 2**20: "1023 MiB", 1.2 * 2**30: "1.20 GiB"}
    assert {value: format_bytes(value) for value in sizes} == sizes
    times = {0.0451: "45.1 ms", 0.2214: "0.221 s", 9.996: "10.0 s", 99.96: "100 s", 5400: "5400 s"}
    assert {value: format_seconds(value) for value in times} == times
    energies = {0.52: "0.52 J", 90.77: "90.8 J", 24_682: "24.7 kJ"}
    assert {value: format_joules(value) for value in energies} == energies
    assert format_latency(9.04e-7) == "0.904 us"
    assert (three_digits(0), three_digits(0.00123)) == ("0.00", "0.00123")

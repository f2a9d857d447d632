"""The rows of `--format json`: their keys, their nulls, their order."""

from typing import Any

import pytest

from results import ResultsError, RunRecord, summarize, table_rows
from results.rows.rows import ROW_KEYS, sort_rows
from results.statistics import wilson_interval
from tests.results.records_by_hand import LIMIT, make_curve, make_record, make_sweep, make_values

PUBLISHED = (  # as in the design, word for word
    "model, status, reason, flags, n_seeds, n_failed, num_params, num_trainable_params, "
    "flops_per_image, test_accuracy, test_accuracy_ci95, test_loss, train_time_s, epoch_time_s, "
    "epochs, steps, images_seen, images_per_s, peak_memory_bytes, energy_j, compile_time_s, "
    "cold_total_s, accuracy_per_s, time_to_target_s, percent_of_floor, on_pareto_front, budget, "
    "recipe, precision, plan, device, record_ids, "
    # added since
    "flops_per_step, bytes_per_step, kernels_per_step, mfu, bytes_per_s, floor_s, binding_term, "
    "test_accuracy_stdev, test_accuracy_sampling_ci95, train_accuracy, "
    "target, target_time_s, n_target_missed"
)
PUBLISHED_KEYS = PUBLISHED.split(", ")
VALUES = make_values(0.9, 10.0, 7_850, 2**20)


def row_of(*records: RunRecord) -> dict[str, Any]:
    (row,) = table_rows(summarize(records))
    return row


def test_the_keys_are_the_published_ones_in_order() -> None:
    assert list(ROW_KEYS) == PUBLISHED_KEYS
    assert {tuple(row) for row in table_rows(summarize(make_sweep()))} == {ROW_KEYS}
    (row,) = table_rows(summarize([make_record(commit="a" * 40)], by="commit"))
    assert list(row) == [*PUBLISHED_KEYS, "commit"]
    assert row["commit"] == "a" * 10


def test_values_are_in_base_units_and_counts_are_whole() -> None:
    row = row_of(make_record(values=VALUES))
    counts = [row[key] for key in ("num_params", "peak_memory_bytes", "steps")]
    assert [(count, type(count)) for count in counts] == [(7_850, int), (2**20, int), (1266, int)]
    assert row["images_per_s"] == pytest.approx(16_200)
    assert row["accuracy_per_s"] == pytest.approx(0.09)
    unsure = ("test_accuracy", "test_accuracy_ci95", "test_accuracy_stdev", "time_to_target_s")
    assert [row[key] for key in unsure] == [0.9, None, None, None]  # one seed, no curve


def test_rates_are_ratios_of_totals_and_peak_memory_is_the_largest_of_any_seed() -> None:
    fast, slow = VALUES | {"train_time": 1.0}, VALUES | {"train_time": 9.0, "peak_memory": 3e6}
    row = row_of(make_record(seed=0, values=slow), make_record(seed=1, values=fast))
    assert (row["images_per_s"], row["peak_memory_bytes"]) == (pytest.approx(162_000 / 5), 3e6)
    # a measured throughput serves where totals are unknown
    assert row_of(make_record(values={"throughput": 512.0}))["images_per_s"] == 512


def test_everything_unknown_is_null() -> None:
    row = row_of(make_record(status="out_of_memory", reason="96 GiB"))
    known = {key for key, value in row.items() if value is not None}
    stated = "model status reason flags n_seeds n_failed budget recipe precision plan device"
    assert known == {*stated.split(), "record_ids"}


def test_the_limit_is_a_mean_over_the_seeds_and_names_every_term_that_bound() -> None:
    values = {"percent_of_floor": 40.0, "mfu": 0.4, "bandwidth": 2e12, "floor": 1e-3}
    values |= {"flops_per_step": 1e9, "bytes_per_step": 1e6, "kernels_per_step": 70.25}
    first = make_record(seed=0, values=values, conditions={"limit": LIMIT})
    other = {"limit": LIMIT | {"binds": "bandwidth"}}
    second = make_record(seed=1, values=values | {"percent_of_floor": 50.0}, conditions=other)
    expected = {"percent_of_floor": 45, "binding_term": "compute / bandwidth", "mfu": 0.4}
    expected |= {"bytes_per_s": 2e12, "floor_s": 1e-3, "flops_per_step": 10**9}
    expected |= {"bytes_per_step": 10**6, "kernels_per_step": 70.25}
    row = row_of(first, second)
    assert {key: row[key] for key in expected} == expected


def test_seconds_to_a_target_are_the_median_and_a_miss_is_infinite() -> None:
    curves = [[0.81, 0.91], [0.84, 0.93], [0.79, 0.86]]
    records = [
        make_record(seed=seed, values=VALUES, curve=make_curve(10.0, curve))
        for seed, curve in enumerate(curves)
    ]
    times = {"0.80": 5.0, "0.85": 10.0, "0.90": 10.0, "0.92": None, "0.94": None}
    assert row_of(*records)["time_to_target_s"] == times
    half_missed = {"0.80": 7.5, "0.85": 10.0, "0.90": None, "0.92": None, "0.94": None}
    assert row_of(records[0], records[2])["time_to_target_s"] == half_missed


def test_an_accuracy_says_how_far_seeds_and_test_images_reach() -> None:
    records = [
        make_record(seed=seed, values=VALUES | {"test_accuracy": accuracy, "train_accuracy": 0.95})
        for seed, accuracy in enumerate((0.89, 0.91))
    ]
    row = row_of(*records)
    assert row["test_accuracy_stdev"] == pytest.approx(0.02 / 2**0.5)
    assert row["train_accuracy"] == 0.95
    key = "test_accuracy_sampling_ci95"
    assert row[key] == list(wilson_interval(0.9, 10_000))
    counted = row_of(make_record(values=VALUES, confusion=[[9, 1], [1, 9]]))
    assert counted[key] == list(wilson_interval(0.9, 20))
    held_back = make_record(values=VALUES, spec={"evaluation_split": "half of test"})
    assert row_of(held_back)[key] is None


@pytest.mark.parametrize(
    ("key", "models"),
    [
        ("test_accuracy", "resnet8 fashion_cnn resnet50 v0 v1 alexnet alexnet224"),
        ("train_time_s", "v0 v1 fashion_cnn resnet8 resnet50 alexnet alexnet224"),
        ("images_per_s", "v0 v1 fashion_cnn resnet8 resnet50 alexnet alexnet224"),
        ("num_params", "v0 v1 fashion_cnn resnet8 resnet50 alexnet alexnet224"),
        ("test_accuracy_ci95", "resnet8 fashion_cnn v0 v1 resnet50 alexnet alexnet224"),
        ("time_to_target_s", "fashion_cnn resnet8 resnet50 v0 v1 alexnet alexnet224"),
        ("model", "fashion_cnn resnet50 resnet8 v0 v1 alexnet alexnet224"),
    ],
)
def test_any_key_sorts_best_first_and_unknown_late(key: str, models: str) -> None:
    rows = table_rows(summarize(make_sweep()), **({} if key == "test_accuracy" else {"sort": key}))
    assert [row["model"] for row in rows] == models.split()


@pytest.mark.parametrize("key", PUBLISHED_KEYS)
def test_every_published_key_can_be_sorted_by(key: str) -> None:
    rows = table_rows(summarize(make_sweep()))
    assert [row["status"] == "ok" for row in sort_rows(rows, key)] == [True] * 5 + [False] * 2


def test_without_rows_an_unknown_sort_key_still_names_the_choices() -> None:
    assert table_rows([]) == []
    with pytest.raises(ResultsError, match=r"cannot sort by 'speed'; choose from model, status"):
        sort_rows([], "speed")

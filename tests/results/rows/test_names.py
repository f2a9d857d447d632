"""Short names of nets in users' files."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.rows.names import recorded_name, short_names_of, under_one_name, with_short_names
from tests.results.records_by_hand import make_record


@pytest.mark.parametrize(
    ("names", "short"),
    [
        (["v0", "a/b/net.py:Net"], ["v0", "net.py:Net"]),
        (["one/net.py:net", "two/net.py:net"], ["one/net.py:net", "two/net.py:net"]),
        (["/a/x/n.py:N", "/b/x/n.py:N", "c/n.py:N"], ["a/x/n.py:N", "b/x/n.py:N", "c/n.py:N"]),
        (["net.py:N", "a/net.py:N", "/a/net.py:N"], ["net.py:N", "a/net.py:N", "/a/net.py:N"]),
        (["a/net.py:A", "a/net.py:B", "a/net.py:A"], ["net.py:A", "net.py:B", "net.py:A"]),
        (["a/net.py:N", "a/net.pyc", "timm:a/b"], ["net.py:N", "a/net.pyc", "timm:a/b"]),
        (["x/[red]:locked:\u202e.py:Net"], [r"[red]:locked:\u202e.py:Net"]),
    ],
)
def test_a_net_has_as_many_folders_as_tell_it_from_the_others(
    names: Sequence[str], short: Sequence[str]
) -> None:
    found = short_names_of(names)
    assert [found[name] for name in names] == short


def test_records_keep_the_name_that_commands_understand() -> None:
    whole = "a/net.py:Net"
    (shown,) = with_short_names([make_record(whole)])
    (again,) = with_short_names([shown])
    assert (shown.spec["model"], again.spec["model"]) == ("net.py:Net", "net.py:Net")
    assert recorded_name(again.spec) == whole


def test_of_registered_models_nothing_changes() -> None:
    records = [make_record("v0"), make_record("torchvision:resnet18")]
    assert all(a is b for a, b in zip(with_short_names(records), records, strict=True))


@given(st.lists(st.lists(st.sampled_from(["a", "b", "", "."]), max_size=5), max_size=8))
def test_no_two_nets_have_the_same_short_name(folders: list[list[str]]) -> None:
    names = ["/".join([*parts, "net.py:Net"]) for parts in folders]
    short = short_names_of(names)
    assert len(set(short.values())) == len(set(names))
    assert all(name.endswith(text) for name, text in short.items())


@pytest.mark.parametrize(
    ("base", "head", "same"),
    [
        ({"/home/a/net.py:Net": "1"}, {"/home/b/net.py:Net": "1"}, "/home/a/net.py:Net"),
        ({"/home/a/net.py:Net": "1"}, {"/home/b/net.py:Net": "2"}, "/home/a/net.py:Net"),
        ({"net.py:Net": "1"}, {"/ci/net.py:Net": "2"}, "net.py:Net"),
        ({"net.py:Net": "1"}, {"models/net.py:Net": "1"}, "net.py:Net"),
        ({"one/net.py:Net": "1"}, {"two/net.py:Net": "2"}, None),
        ({"/a/net.py:Net": "1"}, {"/b/net.py:Other": "1"}, None),
        ({"v0": "1"}, {"/b/net.py:v0": "1"}, None),
        (
            {"/a/one/net.py:Net": "1", "/a/two/net.py:Net": "2"},
            {"/b/two/net.py:Net": "3"},
            "/a/two/net.py:Net",
        ),
        ({"/a/one/net.py:Net": "1", "/a/two/net.py:Net": "2"}, {"/b/net.py:Net": "3"}, None),
        ({"/a/net.py:Net": "1"}, {"/b/one/net.py:Net": "1", "/b/two/net.py:Net": "1"}, None),
        ({"/a/net.py:Net": "1", "/b/net.py:Net": "2"}, {"/b/net.py:Net": "1"}, None),
    ],
)
def test_a_net_under_another_machines_folder_is_the_same_net(
    base: dict[str, str], head: dict[str, str], same: str | None
) -> None:
    """Would catch that records of two machines have nothing to compare, and two nets made one."""
    theirs, ours = (
        [replace(record, spec=record.spec | {"model_hash": text}) for record, text in records]
        for records in (
            [(make_record(name), text) for name, text in side.items()] for side in (base, head)
        )
    )
    renamed, names = under_one_name(theirs, ours)
    assert names == ({next(iter(head)): same} if same else {})
    assert [record.spec["model"] for record in renamed] == [names.get(name, name) for name in head]

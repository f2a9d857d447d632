"""Texts that fit where they stand."""

from results.text import short_names


def test_names_alike_when_cut_keep_what_tells_them_apart() -> None:
    names = ["v2", "fashion_cnn (3epochs)", "fashion_cnn (30s)", "resnet50 (r1)", "resnet50 (r1_b)"]
    assert list(short_names(names, 13).values()) == [
        "v2",
        "fashio…3epoc…",
        "fashio…30s)",
        "resnet50 (r1)",
        "resnet50 (r1…",
    ]
    assert all(len(name) <= 9 for name in short_names(["n" * 30, "n" * 31], 9).values())

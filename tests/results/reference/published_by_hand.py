"""Hand-made runs of the reference systems."""

from typing import Any

from results import RunRecord
from results.reference.footer import published_footer_lines
from results.reference.reported import REPORTED
from results.reference.rows import published_rows
from tests.results.records_by_hand import make_record

EPOCHS = {reported.recipe: reported.epochs for reported in REPORTED}


def make_run(
    model: str = "resnet8",
    name: str = "r2_resnet8",
    accuracy: float = 0.9,
    *,
    seed: int = 0,
    epochs: float | None = None,
    budget: str | None = None,
    recipe: dict[str, Any] | None = None,
    **fields: Any,  # noqa: ANN401
) -> RunRecord:
    """A run of a reference system that got its own length, as far as nothing else is said."""
    own = EPOCHS[name.partition("@")[0].partition("+")[0]]
    is_published = "@as_published" in name
    protocol = {"protocol": "as_published"} if is_published else {"validation_fraction": 0.1}
    seen = epochs or own
    values = {"test_accuracy": accuracy, "test_loss": 0.3, "train_time": 2.0 * seen, "epochs": seen}
    spec = {
        "recipe": {"name": name, "epochs": own, **protocol, **(recipe or {})},
        "budget": budget or f"{own}epochs",
        "precision": "fp32",
    }
    return make_record(model, seed, values=values, spec=spec, **fields)


def confusion_without(*classes: int, num_images: int = 10_000) -> list[list[int]]:
    return [[0 if k in classes else num_images // 100 for k in range(10)] for _ in range(10)]


def all_systems() -> list[RunRecord]:
    """Every kind of row: both protocols, short, not pretrained, changed, failed, dead classes."""
    early = ("stopped_early",)
    changed = "r3_resnet18@as_published+batch_size=50"
    return [
        make_record("v0", values={"test_accuracy": 0.8}),  # by another recipe: left out
        *(make_run("v1", "classic", 0.67 + seed / 25, seed=seed) for seed in (0, 1)),
        make_run("v2", "classic@as_published", 0.1, flags=("at_chance",)),
        make_run("v1", "classic@as_published", 0.75, confusion=confusion_without(3)),
        make_run("v1_fixed", "classic", 0.8398, recipe={"validation_fraction": 0.0}),
        make_run(epochs=37.0, accuracy=0.9015, flags=early),
        make_run("resnet8", "r2_resnet8@as_published", 0.8935, epochs=24.0, flags=early),
        make_run(
            "resnet18",
            "r2_resnet18",
            0.88,
            epochs=21.0,
            flags=(*early, "not_pretrained"),
            conditions={"pretrained": False},
        ),
        make_run("resnet50", "r1_resnet50", 0.61, epochs=0.62, budget="60s"),
        make_run("resnet18", changed, 0.8850, recipe={"split": "swapped"}),
        make_run("resnet4", "r0_resnet4", status="out_of_memory", reason="no more memory"),
        *(
            make_run("resnet4_dropout", "r0_resnet4", 0.925 + seed / 1000, seed=seed)
            for seed in range(3)
        ),
    ]


def row_of(*records: RunRecord) -> dict[str, Any]:
    (row,) = published_rows(records)
    return row


def footer(*records: RunRecord) -> str:
    return "\n".join(published_footer_lines(records)) + "\n"

"""A run folder by hand, with everything that a report draws: records, curves and samples."""

from pathlib import Path
from typing import Any

import numpy as np

from results import RunRecord, RunStore
from tests.results.records_by_hand import make_record, make_values

NUM_CLASSES = 10
NUM_IMAGES = 10_000  # evaluated: a thousand of each class
IMAGES_A_CLASS = NUM_IMAGES // NUM_CLASSES
STEPS, EPOCHS, TRAINING_IMAGES = 1266, 3.0, 162_000
AWKWARD = 'net "a" <b>&\'c'  # a model's name that HTML, JSON and expressions must all survive
SHIRT = 6
TAKEN_FOR = {0: 6, 2: 4, 3: 0, 4: 2, 5: 7, 6: 0, 7: 9, 8: 5, 9: 7, 1: 3}  # the likeliest mistake

Samples = dict[str, np.ndarray[Any, Any]]


def make_report_records() -> list[tuple[RunRecord, Samples | None]]:
    """Three models with two seeds each, one that failed and one at chance, with their samples."""
    found: list[tuple[RunRecord, Samples | None]] = []
    for model, accuracy, seconds, params in (
        ("resnet8", 0.941, 6.3, 2_777_674),
        ("fashion_cnn", 0.912, 0.91, 83_210),
        ("v0", 0.84, 0.22, 7_850),
    ):
        found += [finished(model, seed, accuracy, seconds, params) for seed in range(2)]
    found.append(finished("v1", 0, 0.1, 0.24, 8_490, flags=("at_chance",)))
    reason = "the loss is not finite at step 210 of 1266"
    found += [(make_record("alexnet", s, status="diverged", reason=reason), None) for s in (0, 1)]
    return found


def finished(
    model: str,
    seed: int,
    accuracy: float,
    seconds: float,
    params: int,
    **fields: Any,  # noqa: ANN401
) -> tuple[RunRecord, Samples]:
    """A run that ended well, and its samples."""
    random = np.random.default_rng(1000 * params + seed)
    labels = np.repeat(np.arange(NUM_CLASSES, dtype=np.uint8), IMAGES_A_CLASS)
    predictions = make_predictions(labels, accuracy, random)
    curve = make_curve(accuracy, seconds, random)
    record = make_record(
        model,
        seed,
        values=make_values(float((predictions == labels).mean()), seconds, params, 60 * 2**20),
        confusion=count_confusion(labels, predictions),
        curve=[[float(value) for value in point[:4]] for point in curve],
        **fields,
    )
    samples = make_training(accuracy, seconds, random) | {"curve": curve}
    return record, samples | make_answers(labels, predictions, accuracy, random)


def write_store(
    folder: Path, records: list[tuple[RunRecord, Samples | None]] | None = None
) -> list[RunRecord]:
    """The records and samples as a run folder; the records as they were written."""
    store = RunStore(folder)
    return [store.append(record, samples) for record, samples in records or make_report_records()]


def make_predictions(
    labels: np.ndarray[Any, Any], accuracy: float, random: np.random.Generator
) -> np.ndarray[Any, Any]:
    """Answers, wrong mostly as Fashion-MNIST's are; at chance one class for all."""
    if accuracy <= 0.1:
        return np.full(len(labels), SHIRT, dtype=np.uint8)
    hardness = np.where(labels == SHIRT, 3.0, np.where(np.isin(labels, (1, 5, 7, 8, 9)), 0.3, 1.2))
    is_wrong = random.random(len(labels)) < (1 - accuracy) * hardness
    usual = np.array([TAKEN_FOR[label] for label in range(NUM_CLASSES)])[labels]
    other = (labels + random.integers(1, NUM_CLASSES, len(labels))) % NUM_CLASSES
    wrong = np.where(random.random(len(labels)) < 0.7, usual, other)
    return np.where(is_wrong, wrong, labels).astype(np.uint8)


def count_confusion(
    labels: np.ndarray[Any, Any], predictions: np.ndarray[Any, Any]
) -> list[list[int]]:
    """Counts; row: true class, column: predicted class."""
    counts = np.zeros((NUM_CLASSES, NUM_CLASSES), dtype=int)
    np.add.at(counts, (labels, predictions), 1)
    return [[int(count) for count in row] for row in counts]


def make_curve(
    accuracy: float, seconds: float, random: np.random.Generator, points: int = 12
) -> np.ndarray[Any, Any]:
    """(points, 5): seconds, fraction, images, validation accuracy and loss; best before the end."""
    share = np.arange(1, points + 1) / points
    rise = accuracy * (1 - 0.25 * np.exp(-5 * share)) - 0.01 * np.maximum(share - 0.8, 0)
    accuracies = rise + random.normal(0, 0.002, points) if accuracy > 0.1 else 0 * share + 0.1
    columns = (seconds * share, share, TRAINING_IMAGES * share, accuracies, 2.3 * (1.01 - rise))
    return np.stack(columns, axis=1)


def make_training(accuracy: float, seconds: float, random: np.random.Generator) -> Samples:
    """Loss and learning rate of each step, and seconds of each chunk."""
    share = np.arange(STEPS) / STEPS
    floor = 1.1 * (1 - accuracy) ** 0.6 if accuracy > 0.1 else 2.303
    loss = floor + (2.303 - floor) * np.exp(-14 * share)
    noise = np.exp(random.normal(0, 0.12 if accuracy > 0.1 else 0.004, STEPS))
    chunks = np.full(STEPS // 6, 6)
    return {
        "loss": (loss * noise).astype(np.float32),
        "learning_rate": np.minimum(share / 0.2, (1 - share) / 0.8).astype(np.float32) * 0.01,
        "chunk_steps": chunks,
        "chunk_seconds": seconds / len(chunks) * random.uniform(0.9, 1.1, len(chunks)),
    }


def make_answers(
    labels: np.ndarray[Any, Any],
    predictions: np.ndarray[Any, Any],
    accuracy: float,
    random: np.random.Generator,
    points: int = 1000,
) -> Samples:
    """What a report shows of the final pass: answers, mistakes, features and examples."""
    confidence = random.uniform(0.4, 1.0, len(labels)).astype(np.float16)
    wrong = np.flatnonzero(predictions != labels)
    mistakes = wrong[np.argsort(-confidence[wrong], kind="stable")][:24].astype(np.int32)
    classes = random.integers(0, NUM_CLASSES, points).astype(np.uint8)
    angles = 2 * np.pi * classes / NUM_CLASSES
    spread = 4 * max(accuracy, 0.3)
    centres = np.stack((spread * np.cos(angles), 0.6 * spread * np.sin(angles)), axis=1)
    return {
        "predictions": predictions,
        "confidence": confidence,
        "mistakes": mistakes,
        "mistake_images": np.stack([picture(int(i), int(labels[i])) for i in mistakes]),
        "mistake_labels": labels[mistakes],
        "features_2d": (centres + random.normal(0, 1, (points, 2))).astype(np.float32),
        "features_share": np.array([0.412, 0.187], dtype=np.float32),
        "features_labels": classes,
        "example_images": np.stack([picture(label, label) for label in range(NUM_CLASSES)]),
        "class_counts": np.full(NUM_CLASSES, 5400, dtype=np.int64),
    }


def picture(seed: int, label: int, side: int = 28) -> np.ndarray[Any, Any]:
    """A (side, side) uint8 image that no other seed has: a bar whose place tells the class."""
    image = np.zeros((side, side), dtype=np.uint8)
    image[4:-4, 2 + label * 2 : 8 + label * 2] = 60 + seed * 37 % 196
    image[0, 0] = seed % 256
    return image

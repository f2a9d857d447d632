"""The command line on the first images of the data set, so that an evaluation costs little.

`python -m tests.freeze.few_images run --in-process ...`; only this process has few images. With
DIES_AT=3 in its environment it dies while it saves a model for the third time.
"""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import data_pipeline

NUM_TRAIN, NUM_TEST = 400, 200  # 11 batches of 32 an epoch, where a tenth is kept for validation
DIES_AT, DEAD = "DIES_AT", 99  # an exit code of its own
load_all_images = data_pipeline.load_fashion_mnist


def load_first_images(
    root: Path | None = None, *, fetch: bool = True
) -> data_pipeline.FashionMNIST:
    """Stands for `load_fashion_mnist`."""
    data = load_all_images(root, fetch=fetch)
    return replace(
        data,
        train_images=data.train_images[:NUM_TRAIN],
        train_labels=data.train_labels[:NUM_TRAIN],
        test_images=data.test_images[:NUM_TEST],
        test_labels=data.test_labels[:NUM_TEST],
    )


def die_at_save(number: int) -> None:
    """Has the process end as by SIGKILL when it saves for the so-manyeth time."""
    import torch

    save, times = torch.save, iter(range(1, number))

    def save_or_die(*arguments: Any) -> None:  # noqa: ANN401 - those of torch.save
        if next(times, None) is None:
            os._exit(DEAD)
        save(*arguments)

    torch.save = save_or_die  # type: ignore[assignment]


if __name__ == "__main__":
    data_pipeline.load_fashion_mnist = load_first_images  # type: ignore[assignment]
    if number := os.environ.get(DIES_AT):
        die_at_save(int(number))
    from bench.__main__ import main  # only now: whatever loads the data takes the name above

    main()

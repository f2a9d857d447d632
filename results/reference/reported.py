"""What the five reference projects report of their systems, as data, with what is wrong with it."""

import re
from dataclasses import dataclass
from typing import Literal

from results.reference import notes

Images = Literal["test", "half_test", "swapped"]
_ALL_TEST = "all 10,000 test images"
_ALL_TRAIN = "all 60,000 training images"
_NOTHING_CHOSEN = f"{_ALL_TRAIN}, nothing chosen"
_AT_96 = f"{_ALL_TRAIN} at 96x96, epoch chosen on the test images"
_HALF_CHOSEN = f"{_ALL_TRAIN}, epoch and end chosen on the other half of the test images"
READ_OFF = "~"  # before a number that was read off a picture
READ_OFF_HALF_WIDTH = 0.004  # how exactly, a fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """One reference system and the result that its project reports; None where it reports none.

    Attributes:
        system: label: the project and what it calls the system; `(ours)` behind a variant of ours.
        model: registered name.
        recipe: name of the recipe that trains it as its project does, without a protocol.
        epochs: length of that recipe.
        percent: accuracy in percent, with the digits that its source has, `~` before a number that
            was read off a picture.
        loss: in nats.
        seconds: of training.
        device: on which the seconds were taken.
        trained_on: images behind the weights, and what was chosen on which.
        evaluated_on: images behind the accuracy.
        images: the same as the recipe's split calls them: `test`, `half_test` (another half for
            each network) or `swapped` (the training images).
        chooses_nothing: whether all training images train and nothing is chosen: then `full train`
            is the project's own protocol.
        notes: a sentence each on what is known to be wrong or cannot be compared.
    """

    system: str
    model: str
    recipe: str
    epochs: int
    percent: str | None = None
    loss: float | None = None
    seconds: float | None = None
    device: str | None = None
    trained_on: str | None = None
    evaluated_on: str | None = None
    images: Images = "test"
    chooses_nothing: bool = False
    notes: tuple[str, ...] = ()

    @property
    def accuracy(self) -> float | None:
        """The accuracy as a fraction."""
        if self.percent is None:
            return None
        return round(float(self.percent.removeprefix(READ_OFF)) / 100, 6)  # 0.9038, not 0.90379...

    @property
    def half_digit(self) -> float:
        """How far the accuracy may be from what was measured, as it is written: a fraction."""
        if self.percent is None:
            return 0.0
        if self.percent.startswith(READ_OFF):
            return READ_OFF_HALF_WIDTH
        decimals = len(self.percent.partition(".")[2])
        return 0.5 * 0.1 ** (decimals + 2)


REPORTED = (
    Reported(
        system="R0 ResNet-4",
        model="resnet4",
        recipe="r0_resnet4",
        epochs=20,
        percent="92.1",
        trained_on=_AT_96,
        evaluated_on=f"{_ALL_TEST}, best of 20 epochs",
        notes=(notes.BEST_ON_TEST, notes.RATE_UNKNOWN, notes.AT_96),
    ),
    Reported(
        system="R0 ResNet-4 dropout",
        model="resnet4_dropout",
        recipe="r0_resnet4",
        epochs=20,
        percent="90.23",
        trained_on=_AT_96,
        evaluated_on=f"{_ALL_TEST}, best of its epochs",
        notes=(notes.BEST_ON_TEST, notes.OTHER_BATCHES, notes.AT_96),
    ),
    Reported(
        system="R0 AlexNet",
        model="alexnet",
        recipe="r0_alexnet",
        epochs=20,
        notes=(notes.NO_ALEXNET,),
    ),
    Reported(
        system="AlexNet-224 (ours)",
        model="alexnet224",
        recipe="r0_alexnet",
        epochs=20,
        notes=(notes.NO_ALEXNET, notes.ALEXNET_224),
    ),
    Reported(
        system="R1 ResNet-50",
        model="resnet50",
        recipe="r1_resnet50",
        epochs=25,
        notes=(notes.NOTHING_FROZEN, notes.CYCLIC),
    ),
    Reported(
        system="R1 ResNet-50 stem+head",
        model="resnet50",
        recipe="r1_resnet50_stem_head",
        epochs=25,
        notes=(notes.NOTHING_FROZEN, notes.CYCLIC),
    ),
    Reported(
        system="R2 ResNet-8",
        model="resnet8",
        recipe="r2_resnet8",
        epochs=1000,
        percent="90.38",
        trained_on=_HALF_CHOSEN,
        evaluated_on="a random half of the test images",
        images="half_test",
        notes=(notes.HALVES, notes.IDLE_SCHEDULER, notes.SECOND_RUN),
    ),
    Reported(
        system="ResNet-8 ReLU (ours)",
        model="resnet8_postrelu",
        recipe="r2_resnet8",
        epochs=1000,
        notes=(notes.IDLE_SCHEDULER, notes.POSTRELU),
    ),
    Reported(
        system="R2 ResNet-18",
        model="resnet18",
        recipe="r2_resnet18",
        epochs=1000,
        percent="89.52",
        trained_on=_HALF_CHOSEN,
        evaluated_on="another random half of the test images",
        images="half_test",
        notes=(notes.HALVES, notes.IDLE_SCHEDULER, notes.RANDOM_STEM),
    ),
    Reported(
        system="R2 ResNet-18 3x3 (ours)",
        model="resnet18_3x3",
        recipe="r2_resnet18",
        epochs=1000,
        notes=(notes.IDLE_SCHEDULER, notes.STEM_3X3),
    ),
    Reported(
        system="R3 ResNet-18",
        model="resnet18",
        recipe="r3_resnet18",
        epochs=20,
        percent="88.35",
        seconds=4922.0,
        device="CPU",
        trained_on="7,500 of the test images, epoch chosen on the other 2,500",
        evaluated_on="the 60,000 training images, which took the place of the test",
        images="swapped",
        notes=(notes.SWAPPED_FILES, notes.LEGENDS, notes.R3_TIME),
    ),
    Reported(
        system="R3 ResNet-18 3x3 (ours)",
        model="resnet18_3x3",
        recipe="r3_resnet18",
        epochs=20,
        notes=(notes.STEM_3X3,),
    ),
    Reported(
        system="R3 FashionCNN",
        model="fashion_cnn",
        recipe="r3_fashion_cnn",
        epochs=5,
        percent="~90.7",
        seconds=180.0,
        trained_on=f"most likely {_NOTHING_CHOSEN}",
        evaluated_on="the test images, as in the Kaggle original most likely in train mode",
        chooses_nothing=True,
        notes=(
            notes.READ_OFF_BARS,
            notes.LEGENDS,
            notes.NEVER_EVAL,
            notes.CODE_UNKNOWN,
            notes.R3_CNN_TIME,
        ),
    ),
    Reported(
        system="FashionCNN ReLU (ours)",
        model="fashion_cnn_relu",
        recipe="r3_fashion_cnn",
        epochs=5,
        notes=(notes.CNN_RELU,),
    ),
    Reported(
        system="R4 V0",
        model="v0",
        recipe="classic",
        epochs=3,
        percent="83.43",
        loss=0.4766,
        seconds=29.97,
        device="CPU",
        trained_on=_NOTHING_CHOSEN,
        evaluated_on=_ALL_TEST,
        chooses_nothing=True,
        notes=(notes.BATCH_MEANS, notes.R4_TIMES),
    ),
    Reported(
        system="R4 V1",
        model="v1",
        recipe="classic",
        epochs=3,
        percent="75.02",
        loss=0.6850,
        seconds=32.10,
        device="GPU",
        trained_on=_NOTHING_CHOSEN,
        evaluated_on=_ALL_TEST,
        chooses_nothing=True,
        notes=(notes.BATCH_MEANS, notes.R4_TIMES, notes.DEAD_CLASSES),
    ),
    Reported(
        system="V1 fixed (ours)",
        model="v1_fixed",
        recipe="classic",
        epochs=3,
        notes=(notes.V1_FIXED,),
    ),
    Reported(
        system="R4 V2",
        model="v2",
        recipe="classic",
        epochs=3,
        percent="88.06",
        loss=0.3239,
        seconds=37.13,
        device="GPU",
        trained_on=_NOTHING_CHOSEN,
        evaluated_on=_ALL_TEST,
        chooses_nothing=True,
        notes=(notes.BATCH_MEANS, notes.R4_TIMES, notes.CONSTANT_ANSWERS),
    ),
)
_BY_NAMES = {(reported.model, reported.recipe): reported for reported in REPORTED}


def find_reported(model: str, recipe: str) -> Reported | None:
    """What is reported of a model under a recipe; None where that is no reference system.

    Args:
        model: registered name.
        recipe: as records name it: `NAME`, `NAME@clean` or `NAME@as_published`, `+key=value` behind
            it or not.
    """
    return _BY_NAMES.get((model, re.split("[@+]", recipe, maxsplit=1)[0]))

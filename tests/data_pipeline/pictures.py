"""Test images as people have them: enlarged, framed, in a figure, in false colours, photographed.

`python -m tests.data_pipeline.pictures FOLDER` writes 40 of them, four of each class, the same ones
each time, and prints how many the provided ResNet-8 names rightly; with a number behind it, that
many test images in every kind, with another, from that image on.
"""

import sys
from collections.abc import Callable
from itertools import chain, cycle
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

Pixels = np.ndarray[Any, np.dtype[Any]]
Random = np.random.Generator
Make = Callable[[Pixels, Random], Image.Image]

# evenly spaced colours of matplotlib's maps, from the lowest value to the highest
COLORMAPS: dict[str, list[tuple[int, int, int]]] = {
    "viridis": [(68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37)],
    "magma": [(0, 0, 4), (81, 18, 124), (183, 55, 121), (252, 137, 97), (252, 253, 191)],
    "jet": [
        *((0, 0, 128), (0, 0, 255), (0, 128, 255), (0, 255, 255), (128, 255, 128)),
        *((255, 255, 0), (255, 128, 0), (255, 0, 0), (128, 0, 0)),
    ],
    "coolwarm": [(59, 76, 192), (141, 176, 254), (221, 221, 221), (244, 154, 123), (180, 4, 38)],
    "blues": [(247, 251, 255), (198, 219, 239), (107, 174, 214), (33, 113, 181), (8, 48, 107)],
}


def colored(grey: Pixels, name: str) -> Pixels:
    """Values (H, W) uint8 in the colours of a map, (H, W, 3) uint8."""
    stops = np.array(COLORMAPS[name], dtype=float)
    places = np.linspace(0, 255, len(stops))
    ramp = np.stack([np.interp(range(256), places, stops[:, c]) for c in range(3)], axis=1)
    return ramp.round().astype(np.uint8)[grey]


def enlarged(pixels: Pixels, side: int, kernel: int = Image.Resampling.BICUBIC) -> Image.Image:
    return Image.fromarray(pixels).resize((side, side), kernel)


def on(
    ground: str | tuple[int, ...], picture: Image.Image, left: int, top: int, size: tuple[int, int]
) -> Image.Image:
    """A picture pasted on a ground of one colour."""
    whole = Image.new("RGB", size, ground)
    whole.paste(picture.convert("RGB"), (left, top))
    return whole


def inverted(grey: Pixels, random: Random) -> Image.Image:
    return Image.fromarray(255 - grey)


def light_margin(grey: Pixels, random: Random) -> Image.Image:
    left, top = (int(n) for n in random.integers(20, 160, 2))
    return on("white", enlarged(255 - grey, 280), left, top, (460, 480))


def dark_margin(grey: Pixels, random: Random) -> Image.Image:
    left, top = (int(n) for n in random.integers(20, 160, 2))
    lifted = (grey * (215 / 255) + 40).astype(np.uint8)  # on a dark grey
    return on((40, 40, 40), enlarged(lifted, 280), left, top, (460, 480))


def tinted(grey: Pixels, random: Random) -> Image.Image:
    """A coloured article on a light grey ground, as in a shop's catalogue."""
    ink = random.integers(0, 120, 3)
    share = np.asarray(enlarged(grey, 300), dtype=float)[..., None] / 255
    return Image.fromarray((238 + share * (ink - 238.0)).astype(np.uint8))


def thin_frame(grey: Pixels, random: Random) -> Image.Image:
    width = int(random.integers(3, 12))
    side = 290 + 2 * width
    return on("black", enlarged(255 - grey, 290), width, width, (side, side))


def wooden_frame(grey: Pixels, random: Random) -> Image.Image:
    """A brown frame that is not all of one colour, a mount of another white, the picture."""
    mount = on((246, 244, 238), enlarged(255 - grey, 300), 40, 40, (380, 380))
    framed = np.asarray(on((110, 72, 40), mount, 30, 30, (440, 440)), dtype=float)
    rings = 6 * np.sin(np.arange(440) / 5)[:, None, None] * (framed[..., :1] == 110)
    return Image.fromarray((framed + rings).clip(0, 255).astype(np.uint8))


def light_frame_on_dark(grey: Pixels, random: Random) -> Image.Image:
    return on("white", enlarged(grey, 280), 6, 6, (292, 292))


def bars_left_and_right(grey: Pixels, random: Random) -> Image.Image:
    return on("black", enlarged(255 - grey, 300), 50, 0, (400, 300))


def bars_above_and_below(grey: Pixels, random: Random) -> Image.Image:
    return on("black", enlarged(255 - grey, 300), 0, 120, (300, 540))


def figure(picture: Image.Image, bar: Pixels | None = None, title: str = "") -> Image.Image:
    """What savefig leaves of imshow: margin, frame, ticks, a title and a colour bar."""
    whole = on("white", picture.resize((370, 370), Image.Resampling.NEAREST), 143, 58, (640, 480))
    draw = ImageDraw.Draw(whole)
    draw.rectangle((142, 57, 513, 428), outline="black")
    for tick in range(6):
        draw.line((142 + 66 * tick, 428, 142 + 66 * tick, 433), fill="black")
        draw.text((138 + 66 * tick, 436), str(5 * tick), fill="black")
        draw.line((137, 57 + 66 * tick, 142, 57 + 66 * tick), fill="black")
        draw.text((120, 52 + 66 * tick), str(5 * tick), fill="black")
    draw.text((290, 38), title, fill="black")
    if bar is not None:
        whole.paste(Image.fromarray(bar).resize((18, 370)), (535, 58))
        draw.rectangle((534, 57, 553, 428), outline="black")
    return whole


def figure_in_grey(grey: Pixels, random: Random) -> Image.Image:
    return figure(Image.fromarray(grey))


def figure_on_light(grey: Pixels, random: Random) -> Image.Image:
    return figure(Image.fromarray(255 - grey), title="Label: 3")


def figure_in_viridis(grey: Pixels, random: Random) -> Image.Image:
    ramp = np.arange(255, -1, -1, dtype=np.uint8)[:, None]
    return figure(Image.fromarray(colored(grey, "viridis")), colored(ramp, "viridis"), "Ankle boot")


def small_in(name: str) -> Make:
    return lambda grey, random: Image.fromarray(colored(grey, name))


def large_in(name: str) -> Make:
    return lambda grey, random: enlarged(colored(grey, name), 280, Image.Resampling.NEAREST)


def with_shadow(grey: Pixels, random: Random) -> Image.Image:
    """A soft shadow to the lower right of the article, a sixth darker than the ground."""
    light = on("white", enlarged(255 - grey, 300), 60, 60, (420, 420)).convert("L")
    solid = light.point(lambda value: 43 if value < 235 else 0)
    shadow = solid.filter(ImageFilter.GaussianBlur(12)).transform(
        solid.size, Image.Transform.AFFINE, (1, 0, -14, 0, 1, -14)
    )
    lit = np.minimum(np.asarray(light, dtype=float), 250.0 - np.asarray(shadow, dtype=float))
    return Image.fromarray(lit.astype(np.uint8))


def lit_from_a_side(grey: Pixels, random: Random) -> Image.Image:
    """The ground falls from near white to two thirds of it."""
    light = np.asarray(on("white", enlarged(255 - grey, 300), 60, 60, (420, 420)), dtype=float)
    angle = random.uniform(0, 2 * np.pi)
    y, x = np.mgrid[-1:1:420j, -1:1:420j]
    slope = (np.cos(angle) * x + np.sin(angle) * y) / np.sqrt(2)  # -1 to 1
    return Image.fromarray((light * (0.81 + 0.15 * slope)[..., None]).astype(np.uint8))


def turned(grey: Pixels, random: Random) -> Image.Image:
    """The article stands askew by up to 12 degrees."""
    light = on("white", enlarged(255 - grey, 300), 60, 60, (420, 420))
    angle = float(random.uniform(-12, 12))
    return light.rotate(angle, Image.Resampling.BICUBIC, fillcolor="white")


def photo(ground: tuple[float, float, float], is_dark: bool) -> Make:
    """A phone's: a ground of one material, light that falls off, noise, blur, a slight turn."""

    def make(grey: Pixels, random: Random) -> Image.Image:
        size = (640, 480)
        values = enlarged(grey, 330).rotate(float(random.uniform(-5, 5)), Image.Resampling.BICUBIC)
        share = np.asarray(on("black", values, 150, 70, size).convert("L"), dtype=float)[..., None]
        article = np.array([240.0, 232, 225] if is_dark else random.integers(10, 100, 3))
        pixels = np.array(ground) + share / 255 * (article - np.array(ground))
        y, x = np.mgrid[-1:1:480j, -1:1:640j]
        falloff = 1 - 0.12 * (x**2 + y**2) + 0.06 * float(random.uniform(-1, 1)) * x
        noisy = pixels * falloff[..., None] + random.normal(0, 3, pixels.shape)
        picture = Image.fromarray(noisy.clip(0, 255).astype(np.uint8))
        return picture.filter(ImageFilter.GaussianBlur(1.2))

    return make


def sixteen_bits(grey: Pixels, random: Random) -> Image.Image:
    large = np.asarray(enlarged(255 - grey, 280)).astype(np.uint16)
    return Image.fromarray(large << 4)  # twelve bits, as a scanner leaves them


def transparent(grey: Pixels, random: Random) -> Image.Image:
    alpha = enlarged(grey, 300).point(lambda value: 255 if value > 24 else 0)
    picture = enlarged(255 - grey, 300).convert("RGB")
    picture.putalpha(alpha)
    return picture


KINDS: dict[str, Make] = {
    "inverted": inverted,
    "light_margin": light_margin,
    "dark_margin": dark_margin,
    "tinted": tinted,
    "transparent": transparent,
    "twelve_bits": sixteen_bits,
    "thin_frame": thin_frame,
    "wooden_frame": wooden_frame,
    "light_frame_on_dark": light_frame_on_dark,
    "bars_left_and_right": bars_left_and_right,
    "bars_above_and_below": bars_above_and_below,
    "figure_in_grey": figure_in_grey,
    "figure_on_light": figure_on_light,
    "figure_in_viridis": figure_in_viridis,
    "viridis": small_in("viridis"),
    "magma": large_in("magma"),
    "jet": large_in("jet"),
    "coolwarm": large_in("coolwarm"),
    "blues": large_in("blues"),
    "with_shadow": with_shadow,
    "lit_from_a_side": lit_from_a_side,
    "turned": turned,
    "photo_on_light": photo((214, 208, 198), is_dark=False),
    "photo_on_dark": photo((46, 50, 62), is_dark=True),
}


def write(kind: str, grey: Pixels, path: Path, seed: int) -> Path:
    """Write an image (28, 28) uint8 as a picture of a kind; photos become JPEGs."""
    picture = KINDS[kind](grey, np.random.default_rng(seed))
    path = path.with_suffix(".jpg" if kind.startswith("photo") else ".png")
    picture.save(path, quality=85)  # PNG has none
    return path


def forty(labels: list[int]) -> list[tuple[str, int]]:
    """Kinds in turn and the indices of the first four test images of each class."""
    chosen = [[i for i, own in enumerate(labels) if own == label][:4] for label in range(10)]
    return list(zip(cycle(KINDS), [index for four in chosen for index in four], strict=False))


def main(folder: Path, count: int | None = None, first: int = 0) -> None:
    """Write the pictures, and print the accuracy of each kind."""
    import torch

    from bench.keep.classifier import Claim, Classifier
    from bench.keep.provided import provided_models
    from data_pipeline import load_fashion_mnist, read_photo

    data = load_fashion_mnist(None, fetch=False)
    of_all = [(kind, index) for kind in KINDS for index in range(first, first + (count or 0))]
    folder.mkdir(parents=True, exist_ok=True)
    classifier = Classifier.open(provided_models()["resnet8"], Claim(), torch.device("cpu"))
    right: dict[str, list[bool]] = {}
    for kind, index in of_all or forty(data.test_labels.tolist()):
        label = int(data.test_labels[index])
        name = f"{kind}-{data.classes[label].replace('/', '-')}-{index}"
        path = write(kind, data.test_images[index, 0].numpy(), folder / name, seed=index)
        predicted = int(classifier.probabilities(read_photo(path)).argmax())
        right.setdefault(kind, []).append(predicted == label)
    right["all"] = [*chain.from_iterable(right.values())]
    for kind, found in right.items():
        print(f"{kind:24} {sum(found):4} of {len(found)}")  # noqa: T201 - a script


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))

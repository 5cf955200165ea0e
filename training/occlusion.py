"""Trains the classifiers of covered mouths and eyes: faces as they are, and with masks, hands,
captions, microphones, dark glasses and foreign parts drawn over them.

    python -m training.occlusion --list videos.tsv --videos VIDEOS --corpus CORPUS \\
        --output model_weights/occlusion

Prints how many of each kind are caught on people that were not learned, and how many of the faces
as they are lie above the threshold.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from training.corpus import CorpusRow, CorpusVideo, read_rows
from training.kernel_training import MachineRecipe, fit_machine
from utils.console import EXIT_DONE, notice, print_result, run_script
from utils.errors import InputError
from utils.kernel_machine import KernelMachine, save_kernel_machine
from utils.landmark_files.io import read_landmarks
from utils.report.per_video import landmarks_by_frame
from utils.texture.face_patch import PATCH_PIXELS, face_patch, halvings_for, pixel_step
from utils.texture.occlusion import REGIONS, region_features, sureness

RECIPE = MachineRecipe(c=3.0, gamma=0.3, floor=1e-6)
COVERED = 0.6  # sureness from which a region counts as covered, here and in the manifest
FOLDS = 3
FINE = 8  # times the patch's size, at which words and outlines are drawn
LETTERS = "abcdefghijklmnopqrstuvwxyz   "
MOUTH, EYES = (28.0, 38.0), (28.0, 20.0)  # x, y of their middles in a patch
Random = np.random.Generator
# From a patch (56, 56, 3) float32 and another face's to the same patch, covered.
Cover = Callable[[np.ndarray, np.ndarray, Random], np.ndarray]


def filled(outline: np.ndarray | list) -> np.ndarray:
    """The share of each pixel (56, 56) inside an outline (n, 2) of x and y."""
    fine = np.zeros((PATCH_PIXELS * FINE,) * 2, np.uint8)
    cv2.fillPoly(fine, [np.rint(np.asarray(outline) * FINE).astype(np.int32)], 255)
    return cv2.resize(fine, (PATCH_PIXELS,) * 2, interpolation=cv2.INTER_AREA) / 255


def ellipse(x: float, y: float, across: float, down: float, power: float = 2) -> np.ndarray:
    """Outline (40, 2) of an ellipse, or of a rounded box where `power` is larger."""
    angle = np.linspace(0, 2 * np.pi, 40)
    sides = [np.sign(side) * np.abs(side) ** (2 / power) for side in (np.cos(angle), np.sin(angle))]
    return np.stack([x + across * sides[0], y + down * sides[1]], axis=1)


def blend(patch: np.ndarray, share: np.ndarray, fill: np.ndarray, blur: float = 0.6) -> np.ndarray:
    """The patch with `fill` (56, 56, 3) where `share` (56, 56) says so."""
    soft = cv2.GaussianBlur(share.astype(np.float32), (0, 0), blur)[..., None]
    return patch * (1 - soft) + fill * soft


def noise(random: Random, sigma: float) -> np.ndarray:
    """Smooth noise (56, 56, 1) of deviation 1."""
    drawn = random.normal(size=(PATCH_PIXELS, PATCH_PIXELS)).astype(np.float32)
    values = cv2.GaussianBlur(drawn, (0, 0), sigma)
    return (values / (values.std() + 1e-6))[..., None]


def cloth(random: Random) -> np.ndarray:
    """Fabric (56, 56, 3): a colour, shading, sometimes pleats or a print."""
    usual = [(235, 235, 235), (225, 190, 150), (40, 40, 40), (200, 120, 60), (60, 60, 160)]
    colours = [*map(np.array, usual), random.uniform(20, 235, 3), random.uniform(20, 235, 3)]
    ramp = np.linspace(-1, 1, PATCH_PIXELS)
    shade = random.uniform(3, 22) * noise(random, random.uniform(3, 9))[..., 0]
    shade = shade + random.uniform(-25, 25) * ramp[:, None] + random.uniform(-25, 25) * ramp
    if random.random() < 0.5:
        pleats = np.sin(np.arange(PATCH_PIXELS) * random.uniform(0.5, 1.6) + random.uniform(0, 6))
        shade = shade + random.uniform(3, 15) * pleats[:, None]
    fill = colours[random.integers(len(colours))] + shade[..., None]
    fill = (fill + random.normal(0, 1.5, (PATCH_PIXELS, PATCH_PIXELS, 1))).astype(np.float32)
    if random.random() < 0.2:
        for _ in range(random.integers(5, 30)):
            x, y, radius = (int(value) for value in random.integers((0, 0, 1), (56, 56, 4)))
            cv2.circle(fill, (x, y), radius, tuple(random.uniform(20, 235, 3)), -1)
    return fill


def mask(patch: np.ndarray, other: np.ndarray, random: Random) -> np.ndarray:
    """A mask over mouth and nose."""
    top, side, chin = random.uniform(24, 33), random.uniform(14, 18), random.uniform(46, 53)
    half = [(0.0, top - random.uniform(0, 3)), (7.0, top - random.uniform(0, 2))]
    half += [(side, top + random.uniform(0, 4)), (side * 0.9, 42), (8, chin)]
    outline = np.array([*half, *((-x, y) for x, y in half[::-1])])
    moved = outline + random.normal((28, 0), 1.5)
    return blend(patch, filled(moved), cloth(random))


def hand(
    patch: np.ndarray, other: np.ndarray, random: Random, middle: tuple[float, float] = MOUTH
) -> np.ndarray:
    """Skin of this or another tone, with dark gaps between fingers."""
    x, y = np.array(middle) + random.normal(0, 2.5, 2)
    skin = patch if random.random() < 0.6 else other
    tone = np.median(skin[24:32, 16:40].reshape(-1, 3), axis=0) * random.uniform(0.75, 1.15)
    turn = random.uniform(0, np.pi)
    rows, columns = np.mgrid[:PATCH_PIXELS, :PATCH_PIXELS]
    along = columns * np.cos(turn) + rows * np.sin(turn)
    wave = np.cos(2 * np.pi * along / random.uniform(4, 9) + random.uniform(0, 6))
    gaps = np.maximum(0, -(wave + 0.6) * 2.5)[..., None] * random.uniform(15, 70)
    fill = tone - gaps + random.uniform(2, 10) * noise(random, random.uniform(2, 6))
    radius = random.uniform(10, 16)
    return blend(patch, filled(ellipse(x, y, radius, radius * random.uniform(0.6, 1))), fill)


def caption(
    patch: np.ndarray, other: np.ndarray, random: Random, row: float = MOUTH[1]
) -> np.ndarray:
    """One to three lines of words in the middle, most of them white, some outlined or on a bar."""
    side = PATCH_PIXELS * FINE
    fine = cv2.resize(patch, (side, side), interpolation=cv2.INTER_CUBIC).clip(0, 255)
    fine = fine.astype(np.uint8)
    middle, scale = int((row + random.normal(0, 2.5)) * FINE), random.uniform(1.3, 4)
    font, width = int(random.choice([0, 2, 3, 4, 6])), int(scale * random.uniform(2, 6))
    colours = [(255, 255, 255)] * 4 + [(0, 255, 255), (30, 30, 30)]
    colour = [*colours, tuple(random.uniform(0, 255, 3))][random.integers(7)]
    if random.random() < 0.25:
        top, bottom = middle - int(25 * scale), middle + int(12 * scale)
        cv2.rectangle(fine, (0, top), (side, bottom), tuple(random.uniform(0, 60, 3)), -1)
        colour = colour if max(colour) > 90 else (255, 255, 255)
    outline = (0, 0, 0) if max(colour) > 90 else (255, 255, 255)
    outlined = random.random() < 0.5
    lines = int(random.choice([1, 1, 2, 3]))
    for line in range(lines):
        letters = random.choice(list(LETTERS), random.integers(4, 12))
        words = "".join(letters) if random.random() < 0.5 else "".join(letters).upper()
        (length, _), _ = cv2.getTextSize(words, font, scale, width)
        left = int(side / 2 - length / 2 + random.normal(0, 25))
        place = left, int(middle + (line - (lines - 1) / 2) * scale * 32 + 10 * scale)
        if outlined:
            cv2.putText(fine, words, place, font, scale, outline, width + 6, cv2.LINE_AA)
        cv2.putText(fine, words, place, font, scale, colour, width, cv2.LINE_AA)
    return cv2.resize(fine.astype(np.float32), (PATCH_PIXELS,) * 2, interpolation=cv2.INTER_AREA)


def microphone(patch: np.ndarray, other: np.ndarray, random: Random) -> np.ndarray:
    """A dark head before the mouth, and its stem."""
    x, y = np.array(MOUTH) + random.normal(0, 2.7, 2) + (0, 2)
    radius, width = random.uniform(6, 11), random.uniform(2, 5)
    fill = (
        random.uniform(10, 90) + random.uniform(-8, 8, 3) + random.uniform(3, 12) * noise(random, 1)
    )
    fill = fill + random.uniform(0, 25) * noise(random, 4)
    head = filled(ellipse(x, y, radius, radius * random.uniform(0.7, 1.2)))
    lean = random.normal(0, 4)
    top, foot = y + radius - 1, 60
    stem = [(x - width, top), (x + width, top), (x + width + lean, foot), (x - width + lean, foot)]
    grey = np.full_like(patch, random.uniform(10, 120))
    return blend(blend(patch, head, fill), filled(stem), grey)


def foreign(
    patch: np.ndarray, other: np.ndarray, random: Random, region: str = "mouth"
) -> np.ndarray:
    """Any part of another patch, turned and enlarged."""
    turn = cv2.getRotationMatrix2D(
        (28, 28), float(random.uniform(0, 360)), float(random.uniform(0.8, 2.5))
    )
    fill = cv2.warpAffine(other, turn, (PATCH_PIXELS,) * 2, borderMode=cv2.BORDER_REFLECT)
    fill = np.roll(fill, tuple(random.integers(-20, 20, 2)), (0, 1))
    rows, columns = REGIONS[region]
    x, y = (columns.start + columns.stop) / 2, (rows.start + rows.stop) / 2
    across = (columns.stop - columns.start) / 2 * random.uniform(0.7, 1.2)
    down = (rows.stop - rows.start) / 2 * random.uniform(0.8, 1.3)
    x, y = np.array([x, y]) + random.normal(0, 2, 2)
    return blend(patch, filled(ellipse(x, y, across, down)), fill)


def bare_skin(patch: np.ndarray, other: np.ndarray, random: Random) -> np.ndarray:
    """The cheeks go on where the mouth should be."""
    fill = cv2.resize(patch[26:34, 14:42], (PATCH_PIXELS,) * 2, interpolation=cv2.INTER_CUBIC)
    fill = cv2.GaussianBlur(fill, (0, 0), random.uniform(2, 4))
    return blend(patch, filled(ellipse(28, 39, 13, 9)), fill, 1.5)


def dark_glasses(patch: np.ndarray, other: np.ndarray, random: Random) -> np.ndarray:
    colour = random.uniform(5, 60) + random.uniform(-10, 10, 3)
    across, down = random.uniform(5.5, 7.5), random.uniform(3.8, 6)
    power, apart = random.choice([2, 4]), random.uniform(7, 8.5)
    fill = colour + random.uniform(0, 40) * np.clip(noise(random, 3), 0, 3)
    for side in (-1, 1):
        glass = filled(ellipse(28 + side * apart, 20 + random.normal(0, 0.5), across, down, power))
        patch = blend(patch, glass * random.uniform(0.85, 1), fill)
    if random.random() < 0.8:
        patch = blend(patch, filled([(22, 17.5), (34, 17.5), (34, 19), (22, 19)]), fill)
    return patch


def bar(patch: np.ndarray, other: np.ndarray, random: Random) -> np.ndarray:
    """The bar over the eyes by which pictures are made anonymous."""
    middle, half = EYES[1] + random.normal(0, 1.5), random.uniform(3.5, 7)
    corners = [(6, middle - half), (50, middle - half), (50, middle + half), (6, middle + half)]
    colour = random.choice([0, 20, 128, 255]) + random.uniform(-5, 5, 3)
    return blend(patch, filled(corners), np.broadcast_to(colour, patch.shape))


def hand_on_eyes(patch: np.ndarray, other: np.ndarray, random: Random) -> np.ndarray:
    return hand(patch, other, random, (EYES[0] + random.normal(0, 5), EYES[1]))


def caption_on_eyes(patch: np.ndarray, other: np.ndarray, random: Random) -> np.ndarray:
    return caption(patch, other, random, EYES[1])


def foreign_on_eyes(patch: np.ndarray, other: np.ndarray, random: Random) -> np.ndarray:
    return foreign(patch, other, random, "eyes")


COVERS: dict[str, tuple[Cover, ...]] = {
    "mouth": (mask, hand, caption, caption, microphone, foreign, bare_skin),
    "eyes": (dark_glasses, bar, hand_on_eyes, caption_on_eyes, caption_on_eyes, foreign_on_eyes),
}


def chosen_lines(landmarks: np.ndarray) -> list[int]:
    """Lines of a track (frames, 68, 2) to learn from: two apart, the widest mouth and the most open
    one. A smile that shows teeth is like words, and talking people smile seldom."""
    frames = len(landmarks)
    across = np.linalg.norm(landmarks[:, 36] - landmarks[:, 45], axis=1)
    width, gap = (
        np.linalg.norm(landmarks[:, first] - landmarks[:, second], axis=1) / across
        for first, second in ((48, 54), (62, 66))
    )
    return [frames // 4, frames * 3 // 4, int(width.argmax()), int(gap.argmax())]


def video_patches(row: CorpusRow, videos: Path, corpus: Path) -> Iterator[np.ndarray]:
    """Patches of a row's face."""
    track = read_landmarks(corpus / f"{row.name}.txt")
    placed = list(landmarks_by_frame(track).items())
    wanted = dict(placed[line] for line in chosen_lines(track.landmarks))
    with CorpusVideo(videos / row.file, row) as video:
        for number, picture in enumerate(islice(video.pictures(), max(wanted) + 1)):
            if number in wanted:
                points = wanted[number]
                yield face_patch(picture, points, halvings_for(pixel_step(points)))


def train(clean: np.ndarray, covered: np.ndarray) -> KernelMachine:
    """A machine from features (n, features) of patches as they are and of covered ones."""
    values = np.concatenate([clean, covered])
    return fit_machine(values, np.arange(len(values)) >= len(clean), RECIPE)


def measure(
    region: str, clean: np.ndarray, covered: np.ndarray, kinds: np.ndarray, folds: np.ndarray
) -> None:
    """Prints the shares above the threshold, by machines that saw no one of a fold."""
    of_clean, of_covered = np.zeros(len(clean)), np.zeros(len(clean))
    for number in range(FOLDS):
        learned, held = folds != number, folds == number
        machine = train(clean[learned], covered[learned])
        of_clean[held], of_covered[held] = machine(clean[held])[0], machine(covered[held])[0]
    of_clean, of_covered = sureness(of_clean), sureness(of_covered)
    print_result(f"| {region} | as they are | {(of_clean > COVERED).mean():.1%} |")
    for kind in dict.fromkeys(kinds):
        print_result(f"| {region} | {kind} | {(of_covered[kinds == kind] > COVERED).mean():.0%} |")


def main() -> int:
    parser = argparse.ArgumentParser(prog="training.occlusion", description=__doc__)
    for name in ("list", "videos", "corpus", "output"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    given = parser.parse_args()
    patches, groups = [], []
    for row in read_rows(given.list):
        try:
            of_row = list(video_patches(row, given.videos, given.corpus))
        except InputError as error:
            notice(f"{row.name}: left out ({error})")
            continue
        patches += of_row
        groups += [row.group] * len(of_row)
    notice(f"{len(patches)} patches")
    random = np.random.default_rng(5)
    of_group = {group: int(random.integers(FOLDS)) for group in dict.fromkeys(groups)}
    folds = np.array([of_group[group] for group in groups])
    given.output.mkdir(parents=True, exist_ok=True)
    for region, covers in COVERS.items():
        clean = np.array([region_features(patch)[region] for patch in patches])
        covered, kinds = [], []
        for patch in patches:
            cover = covers[random.integers(len(covers))]
            other = patches[random.integers(len(patches))]
            drawn = np.clip(cover(patch, other, random), 0, 255).astype(np.float32)
            covered.append(region_features(drawn)[region])
            kinds.append(cover.__name__.removesuffix("_on_eyes").replace("_", " "))
        measure(region, clean, np.array(covered), np.array(kinds), folds)
        machine = train(clean, np.array(covered))
        save_kernel_machine(given.output / f"{region}.npz", machine)
        notice(f"{region}: {len(machine.vectors)} support vectors")
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(run_script("training.occlusion", main))

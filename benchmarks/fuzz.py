#!/usr/bin/env python3
"""Broken files for every reader: `python -m benchmarks.fuzz -h`.

A seeded mutator changes small valid files; a reader must read them or say InputError, within ten
seconds and a gigabyte of memory. What else it does is printed with the number that makes it again.
Videos are read in a process that may die, as the scripts read them.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import PROJECT
from utils.console import progress, run_script
from utils.errors import InputError
from utils.landmark_files.header import LandmarkHeader
from utils.landmark_files.io import LandmarkTrack, read_landmarks, write_landmarks
from utils.landmark_files.precomputed import read_precomputed
from utils.run.executor import WorkerDied
from utils.scaling.worker_processes import WorkerProcesses
from utils.serve.jobs import read_job
from utils.shared import LANDMARKS
from utils.weights.litert import read_network
from utils.weights.sets import MANIFEST, read_manifest

MEMORY = 1 << 30  # bytes that a reader may take
SLOW_SECONDS = 10.0
FRAMES, VIDEO_SIDE = 40, 64  # of what is mutated
TOKENS = (
    *(b"nan", b"inf", b"1e999", b"-1", b"999999999999", b"\x00", b"\xff\xfe", b"\n", b"#", b":"),
    *(b"# segments: 0-999999999999@0", b"../", b"&a", b"*a", b"!!python/object:os.system", b'"'),
)


@dataclass(frozen=True)
class Reader:
    """A reader, a valid file for it, and how often it is tried in a full run."""

    name: str
    file_name: str
    content: bytes
    read: Callable[[Path], object]
    times: int


def mutate(content: bytes, random: np.random.Generator) -> bytes:
    """One to eight changes: bits, bytes, cuts, doublings, tokens."""
    changed = bytearray(content)
    for _ in range(int(random.integers(1, 9))):
        place = int(random.integers(0, len(changed) + 1))
        end = min(len(changed), place + int(random.integers(1, 64)))
        match int(random.integers(0, 6)):
            case 0 if place < len(changed):
                changed[place] ^= 1 << int(random.integers(0, 8))
            case 1:
                changed[place:end] = random.bytes(end - place)
            case 2:
                del changed[place:end]
            case 3:
                changed[place:place] = changed[place:end] * int(random.integers(1, 4))
            case 4:
                changed[place:end] = TOKENS[int(random.integers(0, len(TOKENS)))]
            case _:
                del changed[place:]
    return bytes(changed)


def _read_text(path: Path) -> None:
    track = read_landmarks(path)
    track.segments, track.crop_boxes  # noqa: B018 - what they raise counts


def _read_weights(architecture: str) -> Callable[[Path], None]:
    from utils.network.two_stream import build_stream
    from utils.weights.stream_weights import load_stream_weights

    model = build_stream(architecture, units=4)
    return lambda path: load_stream_weights(model, architecture, path)


def _read_page(path: Path) -> None:
    """A landmark file to its verdict and its page."""
    from utils.report.page import PageWriter
    from utils.report.per_video import VideoFinder

    classifier = _classifier()
    folder = path.parent / "report"
    try:
        writer = PageWriter(folder, classifier.weights, VideoFinder([]))
        for result in classifier.classify([path]):
            writer.add(result)
        writer.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@cache
def _classifier() -> Any:
    from utils.run.classification import load_landmark_classifier
    from utils.weights.sets import PROJECT_WEIGHTS

    classifier = load_landmark_classifier("auto", PROJECT_WEIGHTS, None, None)
    classifier.keep_evidence = True
    return classifier


def _read_video(path: Path) -> None:
    from utils.video.frames import Video

    with Video(path) as video:
        for _ in video.frames():
            pass


def readers(folder: Path) -> list[Reader]:
    """All readers, each with a small file that it accepts."""
    random = np.random.default_rng(0)
    landmarks = random.uniform(-1, 1, (3, LANDMARKS, 2))
    header = LandmarkHeader(fps=25, segments="0-2@0.000", crop_boxes="0:1,2,30 2:1,3,30")
    write_landmarks(folder / "a.txt", LandmarkTrack(landmarks, "normalized", header))
    np.savez(folder / "a.npz", landmarks=landmarks, detected=np.ones(3, bool))
    columns = [f"{axis}_{point}" for point in range(LANDMARKS) for axis in "xy"]
    rows: list[list[object]] = [["frame", "confidence", "success", *columns]]
    rows += [[n, 0.9, 1, *frame.ravel().round(2)] for n, frame in enumerate(landmarks, 1)]
    table = "\n".join(",".join(map(str, row)) for row in rows).encode()
    with zipfile.ZipFile(folder / "a.task", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("face_detector.tflite", bytes(500))
    entry = "{format: any, clip_length: 60, architecture: convolutional, units: 4, score: mean, "
    entry += "unclear: [0.2, 0.8], ranges: {fps: [23, null]}, motion: {mouth: [0.1, 1]}, "
    entry += "rules: {texture: {slopes: [1, 1], offset: 0, bands: [[0, 0.2, 0.8]], "
    entry += "real_above: [[0.9, 0.01]], strengths: {Fake: {strong: [0.1, 0.2]}}}}, "
    entry += "files: {g1: {name: a, size: 3}, g2: {name: b}}}"
    manifest = f"sets:\n  mine: {entry}\nensembles:\n  two: {{members: [mine]}}\n".encode()
    return [
        Reader("landmarks", "x.txt", (folder / "a.txt").read_bytes(), _read_text, 120_000),
        Reader("OpenFace", "x.csv", table, read_precomputed, 40_000),
        Reader("npz", "x.npz", (folder / "a.npz").read_bytes(), read_precomputed, 30_000),
        Reader("manifest", MANIFEST, manifest, lambda path: read_manifest(path.parent), 6_000),
        Reader(
            "task",
            "x.task",
            (folder / "a.task").read_bytes(),
            lambda path: read_network(path, "face_detector.tflite"),
            10_000,
        ),
        *_weight_readers(folder),
        *_texture_readers(folder),
        Reader("page", "x.txt", _long_landmarks(folder), _read_page, 4_000),
        Reader("job", "job.json", _job_record(), lambda path: read_job(path.parent), 4_000),
    ]


def _long_landmarks(folder: Path) -> bytes:
    """A landmark file that has a verdict, its header all that a header can have."""
    track = read_landmarks(PROJECT / "landmarks" / "sample_fake.txt")
    header = replace(
        track.header,
        segments=f"0-{FRAMES - 1}@0.000",
        video="a.mp4",
        video_frames=FRAMES,
        shot_times=(0.0, 1.0),
        left_out="1 too small",
    )
    short = LandmarkTrack(track.landmarks[:FRAMES].round(3), track.format, header)
    write_landmarks(folder / "long.txt", short)
    return (folder / "long.txt").read_bytes()


def _job_record() -> bytes:
    record = {"id": "0" * 24, "name": "a.mp4", "file": "a.mp4", "size": 3, "state": "done"}
    return json.dumps(record | {"label": "Fake", "score": 0.9, "page": "a.html"}).encode()


def _texture_readers(folder: Path) -> list[Reader]:
    from utils.kernel_machine import (
        KernelMachine,
        load_kernel_machine,
        save_kernel_machine,
    )
    from utils.texture.texture_file import TextureTrack, read_texture, texture_path, write_texture
    from utils.texture.texture_rows import CHANNELS, FIELDS, MEASURES

    rows = np.zeros((3, FIELDS, len(MEASURES)), np.float16)
    activations = np.zeros((3, CHANNELS), np.float16)
    write_texture(texture_path(folder / "x.txt"), TextureTrack(rows, activations))
    one, scalar = np.ones(3), np.array(1.0)
    two, groups = np.array([0.5, 0.5]), np.array([0, 0, 1])
    machine = KernelMachine(
        one, one, np.ones((4, 3)), np.ones(4), two, scalar, groups=groups, shares=two
    )
    save_kernel_machine(folder / "g3.npz", machine)
    name = texture_path(folder / "x.txt").name
    texture, kept = (folder / name).read_bytes(), (folder / "g3.npz").read_bytes()

    def read(path: Path) -> object:
        return read_texture(path.with_name("x.txt"), 3)

    return [
        Reader("texture", name, texture, read, 10_000),
        Reader("kernel machine", "g3.npz", kept, load_kernel_machine, 6_000),
    ]


def video_readers(folder: Path) -> list[Reader]:
    """Short videos of all kinds of containers."""
    import av
    from PIL import Image

    random = np.random.default_rng(0)
    pictures = random.integers(0, 255, (6, VIDEO_SIDE, VIDEO_SIDE, 3), np.uint8)
    found = []
    for suffix, codec in ((".mp4", "libx264"), (".avi", "mpeg4"), (".mkv", "libvpx-vp9")):
        path = folder / f"v{suffix}"
        with av.open(str(path), "w") as container:
            stream: Any = container.add_stream(codec, 25)
            stream.width = stream.height = VIDEO_SIDE
            stream.pix_fmt = "yuv420p"
            for picture in pictures:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
            container.mux(stream.encode())
        found.append(path)
    images = [Image.fromarray(picture) for picture in pictures]
    for suffix in (".webp", ".gif"):
        found.append(folder / f"v{suffix}")
        images[0].save(found[-1], save_all=True, append_images=images[1:], duration=40)
    return [
        Reader(path.suffix[1:], f"x{path.suffix}", path.read_bytes(), _read_video, 1_000)
        for path in found
    ]


def _weight_readers(folder: Path) -> list[Reader]:
    import torch

    from utils.network.two_stream import build_stream

    build_stream("convolutional", units=4).save_weights(folder / "a.weights.h5")
    torch.save({"rnn.weight": torch.zeros(4, 4)}, folder / "a.pth")
    kept = (folder / "a.weights.h5").read_bytes(), (folder / "a.pth").read_bytes()
    return [
        Reader("h5", "x.weights.h5", kept[0], _read_weights("convolutional"), 3_000),
        Reader("pth", "x.pth", kept[1], _read_weights("gru-residual"), 3_000),
    ]


def fuzz(reader: Reader, times: int, seed: int, folder: Path) -> list[str]:
    """What went wrong, a line each: neither read nor refused, or too slowly."""
    path = folder / reader.file_name
    found = [
        attempt(reader.read, path, reader.content, seed, number)
        for number in progress(range(times), desc=reader.name, leave=False)
    ]
    path.unlink(missing_ok=True)
    return [f"{reader.name} {number}: {wrong}" for number, wrong in enumerate(found) if wrong]


def attempt(
    read: Callable[[Path], object], path: Path, content: bytes, seed: int, number: int
) -> str:
    """What went wrong with one mutated file; empty where it was read or refused."""
    path.write_bytes(mutate(content, np.random.default_rng([seed, number])))
    began = time.monotonic()
    wrong = ""
    try:
        read(path)
    except InputError as error:
        wrong = "more than a line" if "\n" in str(error) else ""
    except Exception as error:
        wrong = f"{type(error).__name__}: {str(error)[:100]}"
    took = time.monotonic() - began
    return wrong or (f"{took:.0f} s" if took > SLOW_SECONDS else "")


def fuzz_videos(reader: Reader, times: int, seed: int, folder: Path) -> list[str]:
    """The same in a process that may die: that it ends is no fault, that it hangs is."""
    jobs = [(folder / reader.file_name, reader.content, seed, number) for number in range(times)]
    found = []
    for (*_, number), wrong in WorkerProcesses(1).run(
        _attempt_video, jobs, limit_memory, SLOW_SECONDS
    ):
        if isinstance(wrong, WorkerDied):
            wrong = str(wrong) if "no answer" in str(wrong) else ""
        found += [f"{reader.name} {number}: {wrong}"] if wrong else []
    return found


def _attempt_video(job: tuple[Path, bytes, int, int]) -> str:
    return attempt(_read_video, *job)


def limit_memory() -> None:
    """From now on this process may take a gigabyte more than it has."""
    import av  # noqa: F401 - what it has includes its libraries

    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    most = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--share", type=float, default=1.0, help="of a full run's inputs")
    given = parser.parse_args()
    total = 0
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "made").mkdir()
        videos = video_readers(folder / "made")
        jobs = [(fuzz_videos, reader) for reader in videos]
        jobs += [(fuzz, reader) for reader in readers(folder / "made")]
        _classifier()
        for way, reader in jobs:
            if way is fuzz:
                limit_memory()
            times = max(1, round(reader.times * given.share))
            found = way(reader, times, given.seed, folder)
            print(f"{reader.name}: {times} inputs, {len(found)} neither read nor refused")
            total, wrong = total + times, wrong + found
    print(f"{total} inputs, seed {given.seed}: {len(wrong)} wrong")
    print(*wrong, sep="\n", end="")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(run_script("benchmarks.fuzz", main))

"""Bad and odd videos made of the project's own samples, as a folder of the internet holds them.

`python -m benchmarks.corpus` runs the whole of it, `test_bad_videos.py` a part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import av
import cv2
import numpy as np

SAMPLE = Path(__file__).resolve().parent.parent / "input" / "sample_real.mp4"
SIDE, FRAMES = 160, 24
DAMAGES = 24  # seeded places at which each kind of damage is done

CODECS = (
    *("libx264", "libx265", "mpeg4", "mpeg2video", "mpeg1video", "libvpx", "libvpx-vp9"),
    *("libsvtav1", "mjpeg", "ffv1", "huffyuv", "utvideo", "prores_ks", "h263p", "flv", "wmv2"),
    *("msmpeg4v3", "libtheora", "png", "rawvideo", "qtrle", "gif", "snow", "asv2", "cinepak"),
)
CONTAINERS = ("mp4", "mkv", "avi", "mov", "webm", "flv", "ts", "mpg", "wmv", "ogv", "nut", "gif")
COLOURS = ("yuv420p", "yuv422p", "yuv444p", "rgb24", "bgr24", "yuvj420p", "yuv422p10le", "rgb8")


def sample_frames(count: int = FRAMES, side: int = SIDE) -> list[np.ndarray]:
    """Frames of the sample, uint8 (side, side, 3) BGR."""
    with av.open(str(SAMPLE)) as container:
        pictures = []
        for frame in container.decode(video=0):
            pictures.append(cv2.resize(frame.to_ndarray(format="bgr24"), (side, side)))
            if len(pictures) == count:
                return pictures
    return pictures


def encode(
    path: Path, frames: list[np.ndarray], codec: str = "libx264", container: str = ""
) -> Path:
    """Writes frames of any codec and container; OSError or ValueError where the two do not fit."""
    known = av.codec.Codec(codec, "w").video_formats or ()
    names = [one.name for one in known]
    colour = next((one for one in COLOURS if one in names), names[0] if names else "yuv420p")
    with av.open(str(path), "w", format=container or None) as output:
        stream = output.add_stream(codec, 25)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = colour
        for picture in frames:
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return path


def _damaged(folder: Path, whole: bytes, suffix: str) -> Iterator[Path]:
    random = np.random.default_rng(16)
    for number in range(DAMAGES):
        path = folder / f"truncated_{number:02d}{suffix}"
        path.write_bytes(whole[: int(random.integers(1, len(whole)))])
        yield path
        flipped = bytearray(whole)
        for place in random.integers(0, len(whole), int(random.integers(1, 60))):
            flipped[place] ^= 1 << int(random.integers(0, 8))
        path = folder / f"flipped_{number:02d}{suffix}"
        path.write_bytes(flipped)
        yield path


def _codecs(folder: Path, frames: list[np.ndarray]) -> Iterator[Path]:
    for codec in CODECS:
        for container in CONTAINERS:
            path = folder / f"{codec}.{container}"
            try:
                yield encode(path, frames, codec)
            except (av.FFmpegError, ValueError, OSError):  # the two do not fit
                path.unlink(missing_ok=True)


def _odd(folder: Path, frames: list[np.ndarray]) -> Iterator[Path]:
    height = frames[0].shape[0]
    grey = np.full_like(frames[0], 90)
    noise = np.random.default_rng(3).integers(0, 255, (FRAMES, height, height, 3), np.uint8)
    films: dict[str, list[np.ndarray]] = {
        "one_frame": frames[:1],
        "two_frames": frames[:2],
        "no_face": [grey] * FRAMES,
        "black": [np.zeros_like(grey)] * FRAMES,
        "noise": list(noise),
        "face_at_the_end": [grey] * 30 + frames[:12],
        "face_leaves": frames[:12] + [grey] * 30,
        "still": frames[:1] * FRAMES,
        "upside_down": [cv2.rotate(frame, cv2.ROTATE_180) for frame in frames],
        "flicker": [frame if n % 2 else grey for n, frame in enumerate(frames)],
    }
    for width, rows in ((2, 2), (16, 16), (18, 34), (500, 34), (34, 500), (162, 158)):
        films[f"size_{width}x{rows}"] = [cv2.resize(frame, (width, rows)) for frame in frames]
    films["eight_k"] = [cv2.resize(frame, (7680, 4320)) for frame in frames[:3]]
    for name, pictures in films.items():
        yield encode(folder / f"{name}.mp4", pictures)
    for width, rows in ((1, 1), (3, 5), (161, 159)):
        odd = [cv2.resize(frame, (width, rows)) for frame in frames]
        yield encode(folder / f"size_{width}x{rows}.avi", odd, "png")


def _changing(folder: Path, frames: list[np.ndarray]) -> Iterator[Path]:
    """Streams whose picture changes its size half-way, and a header that lies."""
    for first, second in ((160, 240), (240, 160), (160, 16)):
        parts = []
        for side in (first, second):
            part = folder / f"part_{side}.ts"
            parts.append(encode(part, [cv2.resize(frame, (side, side)) for frame in frames]))
        path = folder / f"changes_{first}_{second}.ts"
        path.write_bytes(b"".join(part.read_bytes() for part in parts))
        for part in parts:
            part.unlink(missing_ok=True)
        yield path
    whole = encode(folder / "whole.avi", frames, "mpeg4").read_bytes()
    place = whole.index(b"avih") + 8 + 16  # dwTotalFrames of the AVI's main header
    for name, count in (("few", 3), ("many", 2**31 - 1), ("none", 0)):
        path = folder / f"announces_{name}.avi"
        path.write_bytes(whole[:place] + count.to_bytes(4, "little") + whole[place + 4 :])
        yield path
    (folder / "whole.avi").unlink()


def _no_videos(folder: Path, whole: bytes, frames: list[np.ndarray]) -> Iterator[Path]:
    picture = cv2.imencode(".png", frames[0])[1].tobytes()
    contents = {
        "empty.mp4": b"",
        "one_byte.mp4": b"\0",
        "text.mp4": b"not a video\n" * 50,
        "zeros.mkv": bytes(5000),
        "random.webm": np.random.default_rng(1).bytes(20000),
        "picture.mp4": picture,
        "page.mp4": b"<!doctype html><title>404</title>",
        "zip.mov": b"PK\x03\x04" + bytes(400),
        "header_only.mp4": whole[:64],
        "script.avi": b"#!/bin/sh\nrm -rf /\n",
        "playlist.ts": b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n",
        "concat.mp4": b"ffconcat version 1.0\nfile '/etc/hostname'\n",
    }
    contents |= {f"mp4_named.{suffix}": whole for suffix in ("avi", "mkv", "webm", "ts", "flv")}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
        yield folder / name


def make_corpus(folder: Path) -> list[Path]:
    """All of them; 150 and more."""
    frames = sample_frames()
    whole = encode(folder / "whole.mp4", frames).read_bytes()
    film = encode(folder / "whole.mkv", frames, "mpeg4").read_bytes()
    kinds: tuple[Callable[[], Iterator[Path]], ...] = (
        lambda: _damaged(folder, whole, ".mp4"),
        lambda: _damaged(folder, film, ".mkv"),
        lambda: _codecs(folder, frames),
        lambda: _odd(folder, frames),
        lambda: _changing(folder, frames),
        lambda: _no_videos(folder, whole, frames),
    )
    return [path for kind in kinds for path in kind()]

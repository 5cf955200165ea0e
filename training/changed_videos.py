#!/usr/bin/env python3
"""Videos whose bytes change while what they show does not, read as landmarks:
`python -m training.changed_videos -h`.

`training.robustness` measures how far scores move between them; what a change does to landmarks is
added to clips in training (`augmentation.recode`).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from training.augmentation import mirror
from utils.console import notice, progress, run_script
from utils.errors import InputError
from utils.landmark_files.io import read_landmarks
from utils.rigid_motion import remove_rigid_motion
from utils.run.extraction import list_videos
from utils.run.video_extraction import ExtractionOptions, VideoExtractor

MIRRORED = "mirrored"
# What is done to a video, as FFmpeg's output options; all are encoded by x264 but the original.
CHANGES: dict[str, tuple[str, ...]] = {
    "crf 23": ("-crf", "23"),
    "crf 28": ("-crf", "28"),
    "crf 34": ("-crf", "34"),
    "half the size": ("-crf", "20", "-vf", "scale=trunc(iw/4)*2:trunc(ih/4)*2"),
    "twice the size": ("-crf", "20", "-vf", "scale=iw*2:ih*2"),
    MIRRORED: ("-crf", "18", "-vf", "hflip"),
    "25 frames a second": ("-crf", "18", "-vf", "fps=25"),
    "30 frames a second": ("-crf", "18", "-vf", "fps=30"),
}
SAME_FRAMES = ("crf 23", "crf 28", "crf 34", "half the size", "twice the size", MIRRORED)
ORIGINAL, OTHER_DETECTOR = "original", "dlib's landmarks"


def landmark_file(folder: Path, video: str, change: str) -> Path:
    """Where the landmarks of a version of a video are kept."""
    return folder / f"{Path(video).stem}.{change.replace(' ', '_')}.txt"


def change_video(video: Path, options: Sequence[str], path: Path) -> None:
    """Writes a changed copy of a video."""
    import subprocess

    import imageio_ffmpeg

    program = imageio_ffmpeg.get_ffmpeg_exe()
    coded = ("-an", *options, "-c:v", "libx264", "-preset", "fast", "-pix_fmt", "yuv420p")
    subprocess.run([program, "-v", "error", "-y", "-i", str(video), *coded, str(path)], check=True)


def extract_versions(videos: Sequence[Path], folder: Path) -> dict[Path, tuple[str, str]]:
    """Landmark file -> name of the video and what was done to it.

    Files that an earlier run left in `folder` are taken as they are.
    """
    mesh = VideoExtractor(
        ExtractionOptions(face_detector="blazeface", landmark_detector="mediapipe", faces=1)
    )
    dlib = VideoExtractor(
        ExtractionOptions(faces=1, face_detector="dlib", landmark_detector="dlib")
    )
    folder.mkdir(parents=True, exist_ok=True)
    changed = folder / "changed.mp4"
    made: dict[Path, tuple[str, str]] = {}
    for video in progress(videos, desc="versions", unit="video"):
        jobs = [(ORIGINAL, None, video, mesh), (OTHER_DETECTOR, None, video, dlib)]
        jobs += [(name, options, changed, mesh) for name, options in CHANGES.items()]
        for name, options, path, extractor in jobs:
            output = landmark_file(folder, video.name, name)
            if not output.is_file():
                if options is not None:
                    change_video(video, options, path)
                report = extractor.extract(path, output, show_progress=False)
                if report.error:
                    notice(report.error)
                    continue
            made[output] = (video.name, name)
    changed.unlink(missing_ok=True)
    return made


def read_residues(folder: Path, length: int) -> np.ndarray:
    """What changes do to the landmarks of MediaPipe's mesh, clip by clip.

    Args:
        folder: of `extract_versions`; length: frames of a clip.

    Returns:
        (clips, length, 68, 2) float32, in distances between the eyes: the changed video's landmarks
        less the original's, the head's motion taken off both.

    Raises:
        InputError: no changed video has as many frames as its original.
    """
    residues = []
    for original in sorted(folder.glob(f"*.{ORIGINAL}.txt")):
        name = original.name.removesuffix(f".{ORIGINAL}.txt")
        before = read_landmarks(original)
        for change in SAME_FRAMES:
            path = landmark_file(folder, f"{name}.mp4", change)
            after = read_landmarks(path) if path.is_file() else None
            if after is None or after.header.segments != before.header.segments:
                continue
            pair = np.stack([before.landmarks, after.landmarks])
            if change == MIRRORED:
                pair[1:] = mirror(pair[1:])
            for start in range(0, pair.shape[1] - length + 1, length):
                own, _ = remove_rigid_motion(pair[:, start : start + length])
                residues.append(own[1] - own[0])
    if not residues:
        raise InputError(f"{folder}: holds no changed videos; make them with this script first")
    return np.stack(residues)


def main() -> int:
    parser = argparse.ArgumentParser(prog="training.changed_videos", description=__doc__)
    add = parser.add_argument
    add("--videos", nargs="+", type=Path, required=True, help="videos, or folders of them")
    add("--output", type=Path, required=True, help="folder for the landmark files")
    given = parser.parse_args()
    made = extract_versions(list_videos(given.videos), given.output)
    print(f"{len(made)} landmark files in {given.output}")
    return 0


if __name__ == "__main__":
    sys.exit(run_script("training.changed_videos", main))

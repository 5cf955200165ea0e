#!/usr/bin/env python3
"""Videos whose bytes change while what they show does not, read as landmarks:
`python -m training.changed_videos -h`.

`training.robustness` measures how far scores move between them.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from utils.console import notice, progress, run_script
from utils.errors import InputError
from utils.run.extraction import list_videos
from utils.run.extraction_job import ExtractionOptions
from utils.run.video_extraction import VideoExtractor

MIRRORED = "mirrored"
# A screen that is filmed by hand: askew, swaying, out of focus, in the camera's noise.
_FILMED = (
    "perspective=x0=0.03*W:y0=0.02*H:x1=0.98*W:y1=0:x2=0:y2=0.97*H:x3=W:y3=H,"
    "rotate=0.015*sin(1.7*t),gblur=0.7,noise=alls=6:allf=t,eq=gamma=0.9"
)
# A dark band along the lower edge, in which a line of writing comes and goes.
_CAPTIONS = (
    "drawbox=y=0.85*ih:h=0.11*ih:color=black@0.7:t=fill,"
    "drawbox=x=0.2*iw:y=0.88*ih:w=0.6*iw:h=0.04*ih:color=white:t=fill:enable='lt(mod(t,2),1.4)'"
)
# What is done to a video, as FFmpeg's output options; encoded by x264 where they name no other.
CHANGES: dict[str, tuple[str, ...]] = {
    "crf 23": ("-crf", "23"),
    "crf 28": ("-crf", "28"),
    "crf 34": ("-crf", "34"),
    "half the size": ("-crf", "20", "-vf", "scale=trunc(iw/4)*2:trunc(ih/4)*2"),
    "twice the size": ("-crf", "20", "-vf", "scale=iw*2:ih*2"),
    MIRRORED: ("-crf", "18", "-vf", "hflip"),
    "25 frames per second": ("-crf", "18", "-vf", "fps=25"),
    "30 frames per second": ("-crf", "18", "-vf", "fps=30"),
    "twice as fast": ("-crf", "18", "-vf", "select=not(mod(n\\,2)),setpts=N/FRAME_RATE/TB"),
    "captions": ("-crf", "20", "-vf", _CAPTIONS),
    "filmed screen": ("-crf", "23", "-vf", _FILMED),
    "padded": ("-crf", "20", "-vf", "pad=2*iw:ih:(ow-iw)/2:0"),
    "H.265": tuple(
        shlex.split("-c:v libx265 -preset veryfast -crf 28 -x265-params log-level=error")
    ),
    "VP9": tuple(shlex.split("-c:v libvpx-vp9 -crf 36 -b:v 0 -cpu-used 8 -colorspace bt709")),
}
ORIGINAL, OTHER_DETECTOR = "original", "dlib's landmarks"


def landmark_file(folder: Path, video: str, change: str) -> Path:
    """Where the landmarks of a version of a video are kept."""
    return folder / f"{Path(video).stem}.{change.replace(' ', '_')}.txt"


def change_video(video: Path, options: Sequence[str], path: Path) -> None:
    """Writes a changed copy of a video. Raises InputError where FFmpeg cannot."""
    import subprocess

    import imageio_ffmpeg

    program = imageio_ffmpeg.get_ffmpeg_exe()
    coded = ("-an", "-c:v", "libx264", "-preset", "fast", "-pix_fmt", "yuv420p", *options)
    command = [program, "-v", "error", "-y", "-i", str(video), *coded, str(path)]
    if subprocess.run(command).returncode:
        raise InputError(f"{video}: FFmpeg cannot write it with {' '.join(options)}")


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
        jobs: list[tuple[str, tuple[str, ...] | None, Path, VideoExtractor]]
        jobs = [(ORIGINAL, None, video, mesh), (OTHER_DETECTOR, None, video, dlib)]
        jobs += [(name, options, changed, mesh) for name, options in CHANGES.items()]
        for name, options, path, extractor in jobs:
            output = landmark_file(folder, video.name, name)
            if not output.is_file():
                try:
                    if options is not None:
                        change_video(video, options, path)
                    if wrong := extractor.extract(path, output, show_progress=False).error:
                        raise InputError(wrong)
                except InputError as error:
                    notice(str(error))
                    continue
            made[output] = (video.name, name)
    changed.unlink(missing_ok=True)
    return made


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

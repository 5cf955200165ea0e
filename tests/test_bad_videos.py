"""A part of the corpus of bad videos; `python -m benchmarks.corpus` runs the whole."""

import bad_videos
import pytest

from benchmarks.corpus import extract, judge
from utils.console import native_stderr_muted

KINDS = {
    "damaged": lambda folder, frames, whole: bad_videos._damaged(folder, whole, ".mp4"),
    "odd": lambda folder, frames, whole: bad_videos._odd(folder, frames),
    "changing": lambda folder, frames, whole: bad_videos._changing(folder, frames),
    "no videos": lambda folder, frames, whole: bad_videos._no_videos(folder, whole, frames),
}


SLOW = {"odd"}  # many sizes and rates; the other kinds stay in the quick run


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[pytest.mark.slow] * (kind in SLOW)) for kind in KINDS]
)
def test_a_bad_video_ends_in_landmarks_or_one_line(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(bad_videos, "DAMAGES", 6)
    frames = bad_videos.sample_frames()
    (tmp_path / "videos").mkdir()
    whole = bad_videos.encode(tmp_path / "whole.mp4", frames).read_bytes()
    with native_stderr_muted():
        videos = list(KINDS[kind](tmp_path / "videos", frames, whole))
    status, lines = extract(videos, tmp_path, workers=1)
    extracted, wrong = judge(videos, tmp_path / "out", lines)
    assert wrong == [] and status in (0, 1)
    assert extracted > 0

"""The same input and flags on the same machine: the same bytes, whoever does the work."""

import subprocess
import sys
from collections import Counter
from importlib.util import find_spec

import numpy as np
import pytest
from conftest import PROJECT

from benchmarks.faults import make_videos
from utils.landmark_files.io import LandmarkTrack, write_landmarks
from utils.run.classification import load_landmark_classifier
from utils.weights.sets import PROJECT_WEIGHTS

DETECTORS = {"mediapipe": "blazeface", "dlib": "dlib"}


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("determinism") / "videos"
    make_videos(folder, 3, frames=30)
    return sorted(folder.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("landmark_detector", DETECTORS)
def test_results_do_not_depend_on_workers_or_order(videos, tmp_path, landmark_detector):
    written = []
    for run, workers in (("one", 1), ("two", 2)):
        (tmp_path / f"{run}.txt").write_text("".join(f"{video}\n" for video in videos))
        where = ("-i", f"@{tmp_path / run}.txt", "-o", tmp_path / run, "-l", tmp_path / "log.txt")
        flags = ("--fd", DETECTORS[landmark_detector], "--ld", landmark_detector)
        command = [sys.executable, PROJECT / "extract_landmarks.py", *where, *flags]
        command += ["--workers", workers]
        subprocess.run([str(part) for part in command], check=True, capture_output=True)
        written.append({path.name: path.read_bytes() for path in (tmp_path / run).iterdir()})
        videos = videos[::-1]
    kinds = Counter(name.rpartition(".")[2] for name in written[0])
    textures = {"npz": kinds["txt"]} if landmark_detector == "mediapipe" else {}
    assert kinds == {"txt": len(videos) + 1, **textures} and written[0] == written[1]


@pytest.mark.slow
def test_results_and_pages_do_not_depend_on_the_executor(videos, tmp_path):
    """With one worker, two, four, on Ray, and run again where the landmarks are there already."""
    ways = {"one": (), "two": ("--workers", "2"), "four": ("--workers", "4"), "again": ()}
    if find_spec("ray"):
        ways["ray"] = ("--ray",)
    (tmp_path / "list.txt").write_text("".join(f"{video}\n" for video in videos))
    written = {}
    for way, flags in ways.items():
        folder = tmp_path / ("one" if way == "again" else way)
        folder.mkdir(exist_ok=True)
        command = [sys.executable, PROJECT / "classify.py", f"@{tmp_path / 'list.txt'}", *flags]
        command += ["-o", "out", "--json", "r.json", "--csv", "r.csv", "--report", "report"]
        subprocess.run([str(part) for part in command], check=True, capture_output=True, cwd=folder)
        files = [path for path in folder.rglob("*") if path.is_file()]
        named = {str(path.relative_to(folder)): path.read_bytes() for path in files}
        del named["landmark_logs.txt"]  # tells when each was done
        written[way] = named
    assert len(written["one"]) > 12
    for way, files in written.items():
        assert files == written["one"], way


def test_scores_do_not_depend_on_the_batch(tmp_path, wandering_landmarks, random):
    paths = [tmp_path / f"{number}.txt" for number in range(9)]
    for number, path in enumerate(paths):
        moved = wandering_landmarks + 0.002 * random.standard_normal(wandering_landmarks.shape)
        write_landmarks(path, LandmarkTrack(moved[: 40 + 6 * number], "normalized"))
    classifier = load_landmark_classifier("auto", PROJECT_WEIGHTS, None, None)
    together = [result.score for result in classifier.classify(paths)]
    alone = [classifier.classify([path])[0].score for path in paths]
    assert np.ptp(together) > 0.01
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-6)

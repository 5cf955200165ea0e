"""What is timed, each case in a process of its own: `python -m benchmarks.cases NAME ARGUMENTS`.

A case does its set-up first, then prints `{"seconds": ..., "units": ...}` for the work alone; units
are frames or files.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

KEEP_BUSY = "LRNET_KEEP_BUSY"  # set: a case's work is done again and again, and is not timed


def timed(work: Callable[[], int]) -> dict[str, float]:
    """Seconds that `work` takes, and the units that it returns."""
    if os.environ.get(KEEP_BUSY):
        print("busy", flush=True)
        while True:
            work()
    start = time.perf_counter()
    units = work()
    return {"seconds": time.perf_counter() - start, "units": units}


def first_frames(video: str, count: int) -> list[np.ndarray]:
    """The first pictures of a video."""
    from itertools import islice

    from utils.video.frames import Video

    with Video(Path(video)) as opened:
        return list(islice(opened.pictures(), count))


def marked_frames(video: str, count: int) -> tuple[list[Any], float]:
    """The first frames of a video, each marked with whether a shot begins with it, and its rate."""
    from itertools import islice

    from utils.video.frames import Video
    from utils.video.shots import mark_shots

    with Video(Path(video)) as opened:
        return list(islice(mark_shots(opened.frames()), count)), opened.fps


def decode(video: str, threads: str = "0") -> dict[str, float]:
    """Decoding alone; 0 threads are as many as FFmpeg likes."""
    from utils.video.frames import Video

    return timed(lambda: sum(1 for _ in Video(Path(video), threads=int(threads)).frames()))


def decode_opencv(video: str) -> dict[str, float]:
    """Decoding alone, by OpenCV's own reader."""
    import cv2

    def work() -> int:
        capture, count = cv2.VideoCapture(video), 0
        while capture.read()[0]:
            count += 1
        return count

    return timed(work)


def find_cuts(video: str) -> dict[str, float]:
    """Finding cuts and dissolves alone, in decoded frames."""
    from utils.video.display import TimedFrame
    from utils.video.shots import mark_shots

    frames = [TimedFrame(picture, 0.0) for picture in first_frames(video, 120)]
    list(mark_shots(frames[:1]))  # its libraries are imported before the clock runs
    return timed(lambda: sum(1 for _ in mark_shots(frames)))


def mesh(video: str, threads: str = "1") -> dict[str, float]:
    """MediaPipe's mesh alone, on decoded frames, its network on so many threads."""
    from utils.cores import Cores
    from utils.FaceDetector import make_face_detector
    from utils.LandmarkDetector import make_landmark_detector

    frames = first_frames(video, 120)
    detector = make_landmark_detector("mediapipe", cores=Cores(int(threads)))
    box = make_face_detector("blazeface").detect(frames[:1])[0][0]
    place = detector.roi_of_box(frames[0], box)

    def work() -> int:
        now = place
        assert now is not None, "no face in the first frame"
        for frame in frames:
            now = detector.detect([frame], [now])[0].roi
        return len(frames)

    return timed(work)


def extract(video: str, *flags: str) -> dict[str, float]:
    """Decode to written file, one process, dlib; flags are `per-frame`, `thorough`, `mediapipe` and
    `warm`: what is imported or built on first use is there before the clock runs."""
    from utils.run.extraction_job import ExtractionOptions
    from utils.run.video_extraction import VideoExtractor

    mediapipe = "mediapipe" in flags

    with tempfile.TemporaryDirectory() as folder:
        options = ExtractionOptions(
            output_path=Path(folder),
            crop="per-frame" if "per-frame" in flags else "stable",
            thorough="thorough" in flags,
            face_detector="blazeface" if mediapipe else "dlib",
            landmark_detector="mediapipe" if mediapipe else "dlib",
        )
        extractor = VideoExtractor(options)

        def work() -> int:
            report = extractor.extract(Path(video), Path(folder) / "x.txt", show_progress=False)
            assert not report.error, report.error
            return report.frames

        if "warm" in flags:
            work()
        return timed(work)


def extract_many(
    video: str, count: str, workers: str, landmark_detector: str = "dlib"
) -> dict[str, float]:
    """`count` copies of a video through the whole script's function, start of workers included."""
    from utils.run.extraction import extract_videos
    from utils.run.extraction_job import ExtractionOptions
    from utils.scaling.worker_processes import WorkerProcesses

    with tempfile.TemporaryDirectory() as folder:
        videos = [Path(folder) / f"{number}{Path(video).suffix}" for number in range(int(count))]
        for copy in videos:
            copy.symlink_to(Path(video).resolve())
        options = ExtractionOptions(
            output_path=Path(folder) / "out",
            log_file=Path(folder) / "log.txt",
            face_detector="dlib" if landmark_detector == "dlib" else "blazeface",
            landmark_detector=landmark_detector,
            workers=int(workers),
        )
        executor = WorkerProcesses(int(workers)) if int(workers) > 1 else None

        def work() -> int:
            assert extract_videos(videos, options, executor) == 0
            return int(count)

        return timed(work)


def detect_faces(video: str, every: str, face_detector: str = "dlib") -> dict[str, float]:
    """The face detector alone, on every k-th frame; frames are decoded before."""
    from utils.FaceDetector import make_face_detector

    frames = first_frames(video, 60)
    detector = make_face_detector(face_detector)

    def work() -> int:
        for frame in frames[:: int(every)]:
            detector.detect([frame])
        return len(frames)

    return timed(work)


def calibrate(video: str) -> dict[str, float]:
    """Calibration alone, from decoded frames and detected landmarks."""
    from utils.calibration.calibrated_track import calibrate_landmarks, cut_faces, face_crops
    from utils.FaceDetector import make_face_detector
    from utils.landmark_utils import detect_faces
    from utils.LandmarkDetector import make_landmark_detector
    from utils.tracking.face_tracker import FaceTracker
    from utils.tracking.people import group_by_identity

    frames, fps = marked_frames(video, 120)
    tracker = FaceTracker(make_face_detector("dlib"), make_landmark_detector("dlib"))
    track = group_by_identity(detect_faces(frames, tracker, fps))[0]
    crops = face_crops(track, "stable")

    def work() -> int:
        faces = cut_faces((frame.picture for frame in frames), track.numbers, crops)
        return len(calibrate_landmarks(faces, track, crops).landmarks)

    return timed(work)


class _Replayed:
    """A detector whose answers are heard once and then given again in the same order."""

    def __init__(self, detector: Any) -> None:
        self._detector = detector
        self._said: list = []
        self._again: Iterator | None = None

    def rewind(self) -> None:
        self._again = iter(self._said)

    def _answer(self, method: str, *asked: Any) -> Any:
        if self._again is not None:
            return next(self._again)
        self._said.append(getattr(self._detector, method)(*asked))
        return self._said[-1]

    def detect(self, *asked: Any) -> Any:
        return self._answer("detect", *asked)

    def roi_of_box(self, *asked: Any) -> Any:
        return self._answer("roi_of_box", *asked)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._detector, name)


def follow(video: str) -> dict[str, float]:
    """What extraction with MediaPipe does with the detectors' answers, up to the landmark file."""
    from utils.calibration.calibrated_track import face_crops, normalize_landmarks
    from utils.FaceDetector import make_face_detector
    from utils.landmark_files.io import LandmarkTrack, write_landmarks
    from utils.landmark_utils import detect_faces
    from utils.LandmarkDetector import make_landmark_detector
    from utils.tracking.face_tracker import FaceTracker
    from utils.tracking.identity import FaceEmbedder, IdentitySampler
    from utils.tracking.people import group_by_identity
    from utils.weights.detector_models import DLIB_EMBEDDING, obtain_model

    frames, fps = marked_frames(video, 120)
    detectors: Any = (
        _Replayed(make_face_detector("blazeface")),
        _Replayed(make_landmark_detector("mediapipe")),
    )
    embedder = FaceEmbedder(obtain_model(DLIB_EMBEDDING))

    def work() -> int:
        tracker = FaceTracker(detectors[0], detectors[1], fps=fps)
        found = detect_faces(frames, tracker, fps, None, IdentitySampler(embedder, fps))
        face = group_by_identity(found)[0]
        landmarks = normalize_landmarks(face, face_crops(face, "stable")).landmarks
        with tempfile.TemporaryDirectory() as folder:
            write_landmarks(Path(folder) / "face.txt", LandmarkTrack(landmarks, "normalized"))
        for detector in detectors:
            detector.rewind()
        return len(frames)

    work()  # the detectors are heard
    return timed(work)


def classify(count: str) -> dict[str, float]:
    """`count` landmark files of 300 frames, from import of Keras to scores."""
    from utils.landmark_files.io import LandmarkTrack, write_landmarks

    random = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        moves = random.normal(0, 0.003, (300, 68, 2)).cumsum(axis=0)
        track = LandmarkTrack(random.uniform(-0.8, 0.8, (68, 2)) + moves, "normalized")
        first = Path(folder) / "0.txt"
        write_landmarks(first, track)
        paths = [first]
        for number in range(1, int(count)):
            paths.append(first.with_name(f"{number}.txt"))
            paths[-1].write_bytes(first.read_bytes())

        def work() -> int:
            from utils.run.classification import classify_files
            from utils.weights.sets import PROJECT_WEIGHTS

            classify_files(paths, "bundled", PROJECT_WEIGHTS, None, None)
            return len(paths)

        return timed(work)


def fan_library(frames: str) -> dict[str, float]:
    """FAN with random weights, one frame at a time, as face-alignment does it."""
    import face_alignment
    import torch
    from face_alignment import api

    weights = _random_fan_weights()
    api.load_file_from_url = lambda _: weights
    library = face_alignment.FaceAlignment(
        face_alignment.LandmarksType.TWO_D,
        device="cuda" if torch.cuda.is_available() else "cpu",
        face_detector="folder",
        compile=False,
    )
    picture = np.random.default_rng(1).integers(0, 255, (480, 640, 3), np.uint8)
    library.get_landmarks_from_image(picture, [[200, 100, 400, 300, 1]])  # warm

    def work() -> int:
        for _ in range(int(frames)):
            library.get_landmarks_from_image(picture, [[200, 100, 400, 300, 1]])
        return int(frames)

    return timed(work)


def fan_ours(frames: str, batch: str, precision: str) -> dict[str, float]:
    """FAN with random weights, batched."""
    import torch

    from utils.LandmarkDetector.fan import FanLandmarkDetector, FanNetwork

    device = "cuda" if torch.cuda.is_available() else "cpu"
    network = FanNetwork(_random_fan_weights(), device, precision)
    detector = FanLandmarkDetector(network, int(batch))
    pictures = np.random.default_rng(1).integers(0, 255, (int(batch), 480, 640, 3), np.uint8)
    boxes = [np.array([200.0, 100, 400, 300])] * int(batch)
    detector.detect(list(pictures), boxes)  # warm

    def work() -> int:
        for _ in range(0, int(frames), int(batch)):
            detector.detect(list(pictures), boxes)
        return -(-int(frames) // int(batch)) * int(batch)

    return timed(work)


def _random_fan_weights() -> Path:
    import torch
    from face_alignment.models import FAN

    path = Path(tempfile.gettempdir()) / "lrnet_benchmark_random_fan.pth.tar"
    if not path.is_file():
        torch.save(FAN(4).state_dict(), path)
    return path


CASES = {
    case.__name__: case
    for case in (
        decode,
        decode_opencv,
        find_cuts,
        mesh,
        extract,
        extract_many,
        detect_faces,
        calibrate,
        follow,
        classify,
        fan_library,
        fan_ours,
    )
}

if __name__ == "__main__":
    print(json.dumps(CASES[sys.argv[1]](*sys.argv[2:])))

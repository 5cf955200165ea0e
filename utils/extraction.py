"""Many videos to landmark files: what is skipped, what is logged, what goes wrong."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import islice
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from utils.console import EXIT_DONE, EXIT_FAILED, progress, say
from utils.errors import InputError
from utils.landmark_files import LandmarkTrack, output_names, write_landmarks
from utils.landmark_formats import NORMALIZED
from utils.videos import VIDEO_SUFFIXES, Prefetch, VideoInfo, frame_size, probe, read_frames

if TYPE_CHECKING:
    import numpy as np

    from utils.face_spool import FaceSpool
    from utils.FaceDetector.interface import FaceDetector
    from utils.landmark_utils import DetectedTrack
    from utils.LandmarkDetector.interface import LandmarkDetector

FEW_DETECTIONS = 0.5  # a video that shows its face in fewer of its frames gets a notice


@dataclass(frozen=True)
class ExtractionOptions:
    """What the flags of `extract_landmarks.py` say; paths are relative to the working directory."""

    output_path: Path = Path("landmarks_new")
    visualize: bool = False
    visualize_path: Path = Path("visualize")
    log_file: Path = Path("landmark_logs.txt")
    face_detector: str = "dlib"
    landmark_detector: str = "dlib"
    crop: str = "stable"
    detect_every: int = 0
    device: str = "cpu"
    workers: int = 1
    overwrite: bool = False
    model_weights: Path | None = None
    precomputed: Path | None = None
    thorough: bool = False


@dataclass(frozen=True)
class VideoReport:
    """What came of one video: `error` is the reason why there is no landmark file, or empty."""

    video: Path
    error: str = ""
    notice: str = ""
    score: float = 0.0
    frames: int = 0
    frames_with_face: int = 0
    trusted_share: float = 0.0

    def log_line(self) -> str:
        """`<video> <score> <ISO time> <frames> <frames with a face> <trusted share>`."""
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        return (
            f"{self.video.name} {self.score:.4f} {now} frames={self.frames} "
            f"with_face={self.frames_with_face} trusted={self.trusted_share:.4f}"
        )


def list_videos(inputs: list[Path]) -> list[Path]:
    """The video files that folders and files name; a folder's are those with a video's suffix.

    Raises:
        InputError: an input does not exist, or a folder holds no video.
    """
    videos = []
    for given in inputs:
        if given.is_dir():
            found = sorted(
                path
                for path in given.iterdir()
                if path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith(".")
            )
            if not found:
                raise InputError(f"{given}: no videos in this folder; give another one with -i")
            videos += found
        elif given.exists():
            videos.append(given)
        else:
            raise InputError(f"{given}: no such file or folder")
    return list(dict.fromkeys(videos))


class VideoExtractor:
    """Extracts one video after another with detectors that are built once.

    Raises:
        InputError: a detector's model cannot be had.
    """

    def __init__(self, options: ExtractionOptions) -> None:
        self._options = options
        self._detectors = None if options.precomputed else _make_detectors(options)

    def extract(self, video: Path, output: Path, show_progress: bool) -> VideoReport:
        """Writes the landmark file of a video; what is wrong with the video ends in the report."""
        try:
            return self._extract(video, output, show_progress)
        except InputError as error:
            return VideoReport(video, error=_about(video, str(error)))
        except Exception as error:
            if os.environ.get("LRNET_DEBUG"):
                raise
            return VideoReport(video, error=f"{video}: {type(error).__name__}: {error}")

    def _extract(self, video: Path, output: Path, show_progress: bool) -> VideoReport:
        from utils.face_spool import FaceSpool
        from utils.landmark_utils import calibrate_landmarks, cut_faces

        info = probe(video)
        with FaceSpool() as spool:
            detected, header, notice = self._find_landmarks(info, spool, show_progress)
            boxes = detected.crops(self._options.crop)
            if spool.holds(boxes):
                faces = spool.faces(boxes)
            else:
                faces = cut_faces(read_frames(video), boxes, detected.first_frame)
            with _watched(faces, info, "calibrate", len(boxes), show_progress) as watched:
                calibrated = calibrate_landmarks(watched, detected, boxes)
        if self._options.visualize:
            self._draw(info, detected, calibrated.in_frames(boxes), show_progress)
        report = VideoReport(
            video,
            score=detected.score,
            frames=len(detected.detected) + detected.first_frame,
            frames_with_face=int(detected.detected.sum()),
            trusted_share=calibrated.trusted_share,
            notice="; ".join(filter(None, [notice, *_notices(detected)])),
        )
        header = {**self._header(info, report, detected), **header}
        write_landmarks(output, LandmarkTrack(calibrated.landmarks, NORMALIZED, header))
        return report

    def _find_landmarks(
        self, info: VideoInfo, spool: FaceSpool, show_progress: bool
    ) -> tuple[DetectedTrack, dict[str, Any], str]:
        """The landmarks, what the header says of their origin, and a notice."""
        from utils.face_following import FaceFollower
        from utils.landmark_utils import detect_landmarks

        if self._detectors is None:
            return self._take_landmarks(info)
        thorough = self._options.thorough
        every = 1 if thorough else self._options.detect_every
        follower = FaceFollower(*self._detectors, every, whole_frames=thorough)
        frames = read_frames(info.path)
        with _watched(frames, info, "detect", info.frames, show_progress) as watched:
            detected = detect_landmarks(watched, follower, None if thorough else spool)
        face_detector, landmark_detector = self._detectors
        origin = {
            "face_detector": face_detector.name,
            "landmark_detector": landmark_detector.name,
            "detect_every": follower.detect_every,
        }
        return detected, origin, ""

    def _draw(
        self, info: VideoInfo, detected: DetectedTrack, calibrated: np.ndarray, show_progress: bool
    ) -> None:
        from utils.visualization import draw_tracks

        frames = islice(read_frames(info.path), detected.first_frame, None)
        with _watched(frames, info, "draw", len(calibrated), show_progress) as watched:
            draw_tracks(watched, detected.landmarks, calibrated, self._options.visualize_path, info)

    def _take_landmarks(self, info: VideoInfo) -> tuple[DetectedTrack, dict[str, Any], str]:
        from utils.landmark_utils import track_of_landmarks
        from utils.precomputed import find_precomputed, read_precomputed

        assert self._options.precomputed is not None
        found = read_precomputed(find_precomputed(info.path, self._options.precomputed))
        height, width = frame_size(info.path)
        detected = track_of_landmarks(found.landmarks, found.detected, width, height, found.score)
        covered = len(found.landmarks)
        notice = ""
        if info.frames and covered < info.frames:
            notice = f"{found.path} covers {covered} of {info.frames} frames; only those are used"
        origin = {
            "face_detector": "precomputed",
            "landmark_detector": "precomputed",
            "precomputed": found.path.name,
        }
        return detected, origin, notice

    def _header(
        self, info: VideoInfo, report: VideoReport, detected: DetectedTrack
    ) -> dict[str, Any]:
        return {
            "video": info.path.name,
            "fps": f"{info.fps:.6g}",
            "frames": len(detected.detected),
            "first_frame": detected.first_frame,
            "width": detected.frame_width,
            "height": detected.frame_height,
            "face_detector": "",  # their places in the file; filled in by where landmarks come from
            "landmark_detector": "",
            "crop": self._options.crop,
            "score": f"{report.score:.4f}",
            "frames_with_face": report.frames_with_face,
            "trusted_share": f"{report.trusted_share:.4f}",
        }


@contextmanager
def _watched(
    items: Iterable[np.ndarray], info: VideoInfo, task: str, total: int, show_progress: bool
) -> Iterator[Iterable[np.ndarray]]:
    """Pictures made in a thread, a few ahead of their use, with a progress bar."""
    with Prefetch(items) as prefetched:
        if not show_progress:
            yield prefetched
            return
        name = f"{info.path.name} {task}"
        bar = progress(prefetched, desc=name, unit="frame", total=total or None, leave=False)
        with bar:
            yield bar


def _about(video: Path, reason: str) -> str:
    return reason if reason.startswith(str(video)) else f"{video}: {reason}"


def _notices(detected: DetectedTrack) -> Iterator[str]:
    share = detected.detected.mean()
    if share < FEW_DETECTIONS:
        yield f"the face is seen in {share:.0%} of the frames only; do not trust its score"
    if detected.first_frame:
        yield f"{detected.first_frame} leading frames without a face dropped"


def _make_detectors(options: ExtractionOptions) -> tuple[FaceDetector, LandmarkDetector]:
    from utils.FaceDetector import make_face_detector
    from utils.LandmarkDetector import make_landmark_detector

    where = options.device, options.model_weights
    return (
        make_face_detector(options.face_detector, *where),
        make_landmark_detector(options.landmark_detector, *where),
    )


def extract_videos(inputs: list[Path], options: ExtractionOptions) -> int:
    """Extracts all videos that `inputs` name, skipping those whose landmarks exist.

    Returns:
        0, or 1 where a video failed.

    Raises:
        InputError: nothing to extract, or a detector that cannot be had.
    """
    videos = list_videos(inputs)
    outputs = [options.output_path / name for name in output_names(videos)]
    jobs = [
        (video, output)
        for video, output in zip(videos, outputs, strict=True)
        if options.overwrite or not output.exists()
    ]
    if skipped := len(videos) - len(jobs):
        say(f"{skipped} of {len(videos)} videos have landmarks already (--overwrite redoes them)")
    failed = sum(_account(report, options) for report in _run(jobs, options))
    done = f"{len(jobs) - failed} extracted to {options.output_path}"
    say(f"{done}, {skipped} skipped, {failed} failed")
    return EXIT_FAILED if failed else EXIT_DONE


def _account(report: VideoReport, options: ExtractionOptions) -> bool:
    """Logs one video; True where it failed."""
    if report.error:
        say(report.error)
        return True
    if report.notice:
        say(f"{report.video}: {report.notice}")
    with options.log_file.open("a", encoding="utf-8") as log:
        log.write(report.log_line() + "\n")
    return False


def _run(jobs: list[tuple[Path, Path]], options: ExtractionOptions) -> Iterable[VideoReport]:
    workers = min(options.workers, len(jobs))
    if workers > 1:
        return _run_in_processes(jobs, options, workers)
    return _run_here(jobs, options)


def _run_here(jobs: list[tuple[Path, Path]], options: ExtractionOptions) -> Iterator[VideoReport]:
    extractor = VideoExtractor(options) if jobs else None
    for video, output in progress(jobs, desc="videos", unit="video"):
        assert extractor is not None
        yield extractor.extract(video, output, show_progress=True)


def _run_in_processes(
    jobs: list[tuple[Path, Path]], options: ExtractionOptions, workers: int
) -> Iterator[VideoReport]:
    pool = ProcessPoolExecutor(
        workers, get_context("spawn"), initializer=_start_worker, initargs=(workers,)
    )
    with pool:
        futures = {pool.submit(_work, options, *job): job[0] for job in jobs}
        finished = as_completed(futures)
        try:
            for future in progress(finished, desc="videos", unit="video", total=len(jobs)):
                try:
                    yield future.result()
                except BrokenProcessPool:
                    reason = "a worker process died (out of memory?); try fewer --workers"
                    yield VideoReport(futures[future], error=f"{futures[future]}: {reason}")
        except BaseException:  # Ctrl-C, or the caller stopped: do not wait for long videos
            for process in active_children():
                process.terminate()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _start_worker(workers: int) -> None:
    import cv2

    cv2.setNumThreads(max(1, (os.cpu_count() or 1) // workers))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears Ctrl-C and terminates us
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # unwinds, so partial files go


@cache
def _process_extractor(options: ExtractionOptions) -> VideoExtractor:
    return VideoExtractor(options)


def _work(options: ExtractionOptions, video: Path, output: Path) -> VideoReport:
    return _process_extractor(options).extract(video, output, show_progress=False)

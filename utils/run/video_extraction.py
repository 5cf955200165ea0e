"""Extracts one video: detection or precomputed landmarks, calibration, landmark files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np

from ..calibration.calibrated_track import (
    CalibratedTrack,
    calibrate_landmarks,
    cut_faces,
    face_crops,
    normalize_landmarks,
)
from ..console import notice
from ..cores import Cores
from ..errors import InputError
from ..FaceDetector import make_face_detector
from ..FaceDetector.interface import FaceDetector
from ..landmark_files.crop_boxes import format_boxes
from ..landmark_files.io import LandmarkTrack, face_path, remove_stale_outputs, write_landmarks
from ..landmark_files.precomputed import find_precomputed, read_precomputed
from ..landmark_utils import FaceMeasures, detect_faces
from ..LandmarkDetector import make_landmark_detector
from ..LandmarkDetector.interface import LandmarkDetector
from ..shared import NORMALIZED, STILL_THRESHOLD
from ..texture.field_measures import texture_stride
from ..texture.occlusion import SAMPLE_SECONDS, OcclusionModel
from ..texture.texture_file import TextureTrack, texture_path, write_texture
from ..tracking.face_tracker import FaceTracker
from ..tracking.face_tracks import FaceTrack, track_of_landmarks
from ..tracking.identity import FaceEmbedder, IdentitySampler
from ..tracking.people import group_by_identity, reason_left_out
from ..tracking.pose import upright_quarter_turns
from ..video.face_spool import FaceSpool
from ..video.frames import Video
from ..video.prefetch import Prefetch
from ..video.shots import mark_shots
from ..video.visualization import DrawnFace, draw_faces
from ..weights.detector_models import DLIB_EMBEDDING, obtain_model
from ..weights.sets import OCCLUSION_MODEL
from .extraction_job import ExtractionOptions, FaceReport, VideoReport
from .file_headers import (
    LandmarkSource,
    describe_left_out,
    face_header,
    video_header,
)
from .progress_prefetch import ProgressPrefetch, short_switch_interval

FEW_DETECTIONS = 0.5  # a video that shows its face in fewer of its frames gets a notice


class VideoExtractor:
    """Extracts one video after another with detectors that are built once.

    Raises:
        InputError: a detector's model is not available.
    """

    def __init__(self, options: ExtractionOptions) -> None:
        self._options = options
        fan_on_gpu = options.landmark_detector == "fan" and options.device != "cpu"
        self._cores = Cores(options.threads, gpu=fan_on_gpu)
        self._detectors = None if options.precomputed else _make_detectors(options, self._cores)
        self._occlusion = OcclusionModel(OCCLUSION_MODEL)  # read when a face is first looked at
        self._embedder = None if options.precomputed else _make_embedder(options)

    def extract(self, path: Path, output: Path, show_progress: bool) -> VideoReport:
        """Writes the landmark files of a video; what is wrong with it ends in the report."""
        try:
            with self._open(path) as video:
                return self.extract_opened(video, output, show_progress)
        except InputError as error:
            return VideoReport(path, error=_prefix_path(path, str(error)))

    def extract_opened(self, video: Video, output: Path, show_progress: bool) -> VideoReport:
        """The same of a video that is open."""
        path = video.path
        try:
            with short_switch_interval():
                return self._extract(video, output, show_progress)
        except InputError as error:
            return VideoReport(path, error=_prefix_path(path, str(error)))
        except Exception as error:
            if os.environ.get("LRNET_DEBUG"):
                raise
            return VideoReport(path, error=f"{path}: {type(error).__name__}: {error}")

    def _open(self, path: Path) -> Video:
        """Opens a video, or gives it up after the time that a frame may take."""

        def opened() -> Iterator[Video]:
            options = self._options
            rate, most = options.image_rate, options.max_megapixels
            yield Video(path, rate, self._cores.of_decoder, most)

        with Prefetch(opened(), timeout=self._options.timeout or None) as videos:
            return next(videos)

    def _extract(self, video: Video, output: Path, show_progress: bool) -> VideoReport:
        watch = ProgressPrefetch(video, self._options.timeout, show_progress)
        with FaceSpool() as spool:
            faces, source = self._find_faces(video, spool, watch)
            frames_lost = video.frames_lost
            calibrated = [self._calibrate(video, face, source, spool, watch) for face in faces]
        if self._options.visualize:
            self._draw(video, output, faces, calibrated, watch)
        reports = self._write(video, output, faces, calibrated, source, frames_lost)
        notices = filter(None, [source.notice, *_notices(faces[0], source, frames_lost)])
        return VideoReport(video.path, "", "; ".join(notices), source.frames, tuple(reports))

    def _find_faces(
        self, video: Video, spool: FaceSpool, watch: ProgressPrefetch
    ) -> tuple[list[FaceTrack], LandmarkSource]:
        """The faces that get a file, the main one first."""
        if self._detectors is None:
            return self._take_landmarks(video)
        options, (face_detector, landmark_detector) = self._options, self._detectors
        calibration = options.calibration or landmark_detector.calibration
        every = 1 if options.thorough else options.detect_every
        tracker = FaceTracker(
            *self._detectors, every, options.thorough, video.fps, options.max_faces
        )
        sampler = IdentitySampler(self._embedder, video.fps)
        keep = None if options.thorough or calibration == "none" else spool
        measured = options.texture and landmark_detector.follows_faces
        measures = self._measures(video.fps) if measured else None
        frames = mark_shots(video.frames())
        with watch(frames, "detect", video.frame_count_hint, self._cores) as watched:
            found = detect_faces(watched, tracker, video.fps, keep, sampler, measures)
        people = group_by_identity(found)
        reasons = [None, *(reason_left_out(face) for face in people[1:])]
        faces = [face for face, why in zip(people, reasons, strict=True) if why is None]
        wanted = faces[: options.faces or None]
        left_out = [why for why in reasons if why]
        left_out += ["not asked for (--faces)"] * (len(faces) - len(wanted))
        left_out += [f"beyond --max_faces {options.max_faces}"] * found.beyond_limit
        source = LandmarkSource(
            face_detector.name,
            landmark_detector.name,
            calibration,
            found.frames,
            found.shots,
            found.fps,
            len(people),
            tracker.detect_every,
            left_out=tuple(left_out),
        )
        return wanted, source

    def _measures(self, fps: float) -> FaceMeasures:
        look_every = max(1, round(SAMPLE_SECONDS * fps))
        return FaceMeasures(texture_stride(fps), self._occlusion, look_every)

    def _take_landmarks(self, video: Video) -> tuple[list[FaceTrack], LandmarkSource]:
        assert self._options.precomputed is not None
        found = read_precomputed(find_precomputed(video.path, self._options.precomputed))
        size = video.width, video.height
        track = track_of_landmarks(
            found.landmarks, found.detected, *size, found.score, fps=video.fps
        )
        covered, notice = len(found.landmarks), ""
        if video.frame_count_hint and covered < video.frame_count_hint:
            notice = f"{found.path} covers {covered} of {video.frame_count_hint} frames"
        calibration = self._options.calibration or "published"
        name = "precomputed"
        return [track], LandmarkSource(
            *(name, name, calibration, covered, [0.0], video.fps),
            precomputed=found.path.name,
            notice=notice,
        )

    def _calibrate(
        self,
        video: Video,
        face: FaceTrack,
        source: LandmarkSource,
        spool: FaceSpool,
        watch: ProgressPrefetch,
    ) -> CalibratedTrack:
        crops = face_crops(face, self._options.crop)
        if source.calibration == "none":
            return normalize_landmarks(face, crops)
        pieces = list(zip(face.segments, crops, strict=True))
        if all(spool.holds(one.tracklet, one.start, boxes) for one, boxes in pieces):
            parts = [spool.faces(one.tracklet, one.start, boxes) for one, boxes in pieces]
            cut: Iterator[np.ndarray] = chain.from_iterable(parts)
        else:
            cut = cut_faces(video.pictures(), face.numbers, crops)
        with watch(cut, "calibrate", len(face.numbers)) as watched:
            return calibrate_landmarks(watched, face, crops)

    def _draw(
        self,
        video: Video,
        output: Path,
        faces: Sequence[FaceTrack],
        calibrated: Sequence[CalibratedTrack],
        watch: ProgressPrefetch,
    ) -> None:
        drawn = [
            DrawnFace(
                face_path(output, number).name,
                face.numbers,
                face.landmarks,
                track.in_frames(),
            )
            for number, (face, track) in enumerate(zip(faces, calibrated, strict=True), start=1)
        ]
        with watch(video.pictures(), "draw", video.frame_count_hint) as watched:
            draw_faces(
                watched,
                drawn,
                self._options.visualize_path,
                video.path.name,
                video.fps,
                self._options.visualize_format,
            )

    def _write(
        self,
        video: Video,
        output: Path,
        faces: Sequence[FaceTrack],
        calibrated: Sequence[CalibratedTrack],
        source: LandmarkSource,
        frames_lost: int,
    ) -> list[FaceReport]:
        """Writes the files, the main face's last: where it exists, all are there.

        A run that is killed in between leaves faces 2 to some number, without a gap.
        """
        try:
            remove_stale_outputs(output, len(faces))
        except OSError as error:
            raise InputError(f"{output}: cannot be written ({error.strerror})") from None
        reports = []
        for number, (face, track) in enumerate(zip(faces, calibrated, strict=True), start=1):
            path = face_path(output, number)
            seen = int(face.detected.sum())
            reports.append(
                FaceReport(path, face.score, len(face.numbers), seen, track.trusted_share)
            )
        jobs = list(enumerate(zip(faces, calibrated, reports, strict=True), start=1))
        of_video = video_header(video, source, frames_lost, self._options.crop)
        for number, (face, track, report) in (*jobs[1:], jobs[0]):
            turns = upright_quarter_turns(face.landmarks)
            header = replace(
                face_header(of_video, face, report),
                face=f"{number} of {len(faces)}",
                crop_boxes=format_boxes(chain(*track.crops)),
                turned=str(90 * turns) if turns else "",
            )
            landmarks = _rotate_upright(track.landmarks, turns) if turns else track.landmarks
            if face.texture is not None:
                texture = TextureTrack(*face.texture, texture_stride(video.fps))
                write_texture(texture_path(report.file), texture)
            write_landmarks(report.file, LandmarkTrack(landmarks, NORMALIZED, header))
        return reports


def _rotate_upright(landmarks: np.ndarray, turns: int) -> np.ndarray:
    """Normalized landmarks, turned counter-clockwise about the crop's middle by quarter turns."""
    x, y = landmarks[..., 0], landmarks[..., 1]
    return np.stack({1: (y, -x), 2: (-x, -y), 3: (-y, x)}[turns], axis=-1)


def _prefix_path(video: Path, reason: str) -> str:
    return reason if reason.startswith(str(video)) else f"{video}: {reason}"


def _notices(face: FaceTrack, source: LandmarkSource, frames_lost: int) -> Iterator[str]:
    share = face.detected.sum() / source.frames
    if share < FEW_DETECTIONS:
        yield f"the face is visible in only {share:.0%} of the frames; do not trust its score"
    if face.movement < STILL_THRESHOLD:
        yield "the face does not move: this is a still picture"
    if source.left_out:
        faces = "face gets" if len(source.left_out) == 1 else "faces get"
        why = describe_left_out(source.left_out)
        yield f"{len(source.left_out)} {faces} no file: {why}"
    if frames_lost:
        yield f"{frames_lost} damaged frames left out"


def _make_detectors(
    options: ExtractionOptions, cores: Cores
) -> tuple[FaceDetector, LandmarkDetector]:
    where = options.device, options.model_weights
    return (
        make_face_detector(options.face_detector, *where),
        make_landmark_detector(options.landmark_detector, *where, options.precision, cores),
    )


def _make_embedder(options: ExtractionOptions) -> FaceEmbedder | None:
    try:
        return FaceEmbedder(obtain_model(DLIB_EMBEDDING, options.model_weights))
    except (InputError, ImportError):
        notice(
            "people are not known again across cuts and gaps, each part has a file of its own: "
            "pip install 'lrnet[dlib]'"
        )
        return None

"""Command line of `extract_landmarks.py`: videos to landmark files."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..console import (
    HelpFormatter,
    add_common_flags,
    add_max_megapixels,
    notice,
    run_script,
)
from ..errors import InputError
from ..limits import MAX_FACES, MAX_FPS
from ..locations import location
from ..outputs import check_output_file, check_output_folder
from ..shared import CALIBRATIONS, FACE_DETECTORS, LANDMARK_DETECTORS, PRECISIONS, VIDEO_FORMATS
from .cluster_flags import (
    add_cluster_flags,
    check_cluster_flags,
    device_of_run,
    open_executor,
    threads_of_worker,
)

NAME = "extract_landmarks"


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Extract calibrated face landmarks from videos, one text file per video.",
        formatter_class=HelpFormatter,
    )
    _add_files(parser)
    _add_detection(parser)
    _add_measurement(parser)
    _add_run(parser)
    add_cluster_flags(parser)
    add_common_flags(parser)
    given = parser.parse_args(arguments)
    check_cluster_flags(parser, given)
    given.input_path = [*(given.input_path or []), *given.inputs] or [Path("input")]
    if given.workers < 1:
        parser.error("--workers must be 1 or more")
    if given.precomputed and (given.fd or given.ld):
        parser.error("--precomputed takes landmarks as they are; leave --fd and --ld out")
    for name in ("detect_every", "faces", "timeout"):
        if getattr(given, name) < 0:
            parser.error(f"--{name} must be 0 or more")
    if given.max_faces < 1:
        parser.error("--max_faces must be 1 or more")
    if not 0 < given.fps <= MAX_FPS:
        parser.error(f"--fps must lie between 0 and {MAX_FPS:g}")
    return given


def _add_files(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "-i",
        "--input_path",
        nargs="+",
        type=location,
        help="folders of videos, video files, image sequences (frames/%%05d.png), addresses "
        "(s3://bucket/folder), or @list.txt with one of these per line (default: input)",
    )
    add("inputs", nargs="*", type=location, metavar="VIDEO", help="the same as -i")
    add(
        "-o",
        "--output_path",
        type=location,
        default=Path("landmarks_new"),
        help="where to write: a folder or an address",
    )
    add("-v", "--visualize", action="store_true", help="also write videos with the landmarks drawn")
    add("--visualize_path", type=location, default=Path("visualize"), help="where -v writes")
    add(
        "--visualize_format",
        choices=VIDEO_FORMATS,
        default=VIDEO_FORMATS[0],
        help="avi (XVID), or mp4 (H.264), which browsers play",
    )
    add(
        "-l",
        "--log_file",
        type=Path,
        default=Path("landmark_logs.txt"),
        help="one line is appended for each video",
    )


def _add_detection(parser: argparse.ArgumentParser) -> None:
    """What finds faces, and how many."""
    add = parser.add_argument
    add(
        "--fd",
        choices=FACE_DETECTORS,
        help="face detector (default: blazeface)",
    )
    add(
        "--ld",
        choices=LANDMARK_DETECTORS,
        help="landmark detector (fan, or mediapipe where its weights are not available)",
    )
    add(
        "--faces",
        type=int,
        default=0,
        metavar="N",
        help="keep the N main faces of a video only; 0 keeps all that are seen for 2 s",
    )
    add(
        "--max_faces",
        type=int,
        default=MAX_FACES,
        metavar="N",
        help="follow at most N faces at the same time, the largest",
    )


def _add_measurement(parser: argparse.ArgumentParser) -> None:
    """What is measured of a face, and how often it is looked for."""
    add = parser.add_argument
    add(
        "--calibration",
        choices=CALIBRATIONS,
        help="published: optical flow and Kalman filter; none: landmarks as they were detected "
        "(the landmark detector's own: none for mediapipe, published for the others)",
    )
    add(
        "--crop",
        choices=("stable", "per-frame"),
        default="stable",
        help="one crop size for the whole video, or each frame's own",
    )
    add(
        "--detect_every",
        type=int,
        default=0,
        metavar="K",
        help="look for the face's box on every K-th frame; 0 is the landmark detector's own K",
    )
    add(
        "--thorough",
        action="store_true",
        help="no shortcuts: search every whole frame for the face, decode twice (far slower)",
    )
    add(
        "--no-texture",
        dest="texture",
        action="store_false",
        help="measure no texture: the verdict then rests on landmarks alone",
    )


def _add_run(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="where networks run")
    add("--precision", choices=PRECISIONS, default="fp32", help="what FAN computes in")
    add("--workers", type=int, default=1, metavar="N", help="videos extracted at the same time")
    add(
        "--timeout",
        type=float,
        default=120,
        metavar="S",
        help="give a video up after so many seconds without a new frame; 0 waits for ever",
    )
    add("--fps", type=float, default=25, help="frames per second of image sequences")
    add_max_megapixels(parser)
    add("--recursive", action="store_true", help="search folders below the input folder too")
    add("--overwrite", action="store_true", help="extract again what has landmarks already")
    add(
        "--model_weights",
        type=Path,
        metavar="DIR",
        help="where detectors' model files are looked for first",
    )
    add(
        "--precomputed",
        type=Path,
        metavar="DIR",
        help="calibrate landmarks found elsewhere, <video's stem>.csv (OpenFace) or .npz in DIR",
    )


def main() -> int:
    given = parse_arguments()
    from ..run.detector_choice import choose_detectors
    from ..run.extraction import extract_videos, list_videos
    from ..run.extraction_job import ExtractionOptions

    # a run without videos ends before any download
    videos = list_videos(given.input_path, given.recursive, notice)
    check_output_file("-l", given.log_file, videos)
    check_output_folder("-o", given.output_path)
    check_output_folder("--visualize_path", given.visualize_path)
    face_detector, landmark_detector, device = "", "", "cpu"
    if given.precomputed is None:
        detectors = choose_detectors(given.fd, given.ld, given.model_weights, notice)
        face_detector, landmark_detector = detectors
        device = device_of_run(given, detectors, given.model_weights)
    elif not given.precomputed.is_dir():
        raise InputError(f"{given.precomputed}: no such folder")
    options = ExtractionOptions(
        output_path=given.output_path,
        visualize=given.visualize,
        visualize_path=given.visualize_path,
        visualize_format=given.visualize_format,
        log_file=given.log_file,
        face_detector=face_detector,
        landmark_detector=landmark_detector,
        faces=given.faces,
        max_faces=given.max_faces,
        max_megapixels=given.max_megapixels,
        calibration=given.calibration or "",
        crop=given.crop,
        detect_every=given.detect_every,
        device=device,
        precision=given.precision,
        workers=given.workers,
        timeout=given.timeout,
        image_rate=given.fps,
        overwrite=given.overwrite,
        model_weights=given.model_weights,
        precomputed=given.precomputed,
        thorough=given.thorough,
        texture=given.texture,
        threads_each=threads_of_worker(given),
    )
    with open_executor(given, options) as executor:
        return extract_videos(videos, options, executor)


def run() -> int:
    """What `lrnet-extract` runs."""
    return run_script(NAME, main)

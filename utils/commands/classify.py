"""Command line of `classify.py`: videos or landmark files to labels and scores."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from ..console import (
    EXIT_DONE,
    EXIT_FAILED,
    HelpFormatter,
    add_common_flags,
    add_max_megapixels,
    notice,
    progress,
    run_script,
)
from ..errors import InputError
from ..locations import location
from ..shared import FAKE_THRESHOLD, SCORES, VIDEO_FORMATS
from .cluster_flags import (
    add_cluster_flags,
    check_cluster_flags,
    device_of_run,
    open_executor,
    threads_of_worker,
)
from .result_outputs import check_outputs, open_writers
from .server_flags import add_server_flags, run_server, serve_as_flag

NAME = "classify"
DEFAULT_FOLDERS = (Path("landmarks"), Path("landmarks_new"))


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Tell deepfake videos from real ones by how the landmarks of the face move. "
        "Score: 0 = real, 1 = fake.",
        formatter_class=HelpFormatter,
    )
    _add_inputs(parser)
    _add_weights(parser)
    _add_outputs(parser)
    add_cluster_flags(parser)
    add_server_flags(parser)
    add_common_flags(parser)
    given = parser.parse_args(serve_as_flag(sys.argv[1:] if arguments is None else arguments))
    check_cluster_flags(parser, given)
    given.landmarks_path = [*(given.landmarks_path or []), *given.inputs] or None
    if given.threshold is not None and not 0 <= given.threshold <= 1:
        parser.error("--threshold must lie between 0 and 1")
    if given.workers < 1:
        parser.error("--workers must be 1 or more")
    return given


def _add_inputs(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "-i",
        "--landmarks_path",
        nargs="+",
        type=location,
        metavar="PATH",
        help="videos, landmark files, folders or addresses (s3://bucket/folder) of either, or "
        "@list.txt with one of these per line "
        "(default: ./landmarks and ./landmarks_new)",
    )
    add("inputs", nargs="*", type=location, metavar="FILE", help="the same as -i")
    add("--recursive", action="store_true", help="search folders below the given ones too")
    add(
        "-o",
        "--output_path",
        type=location,
        default=Path("landmarks_new"),
        metavar="DIR",
        help="where landmarks of videos are written, or found if they are there already "
        "(default: landmarks_new)",
    )
    add("--workers", type=int, default=1, metavar="N", help="videos extracted at the same time")
    add_max_megapixels(parser)


def _add_weights(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--weights",
        default="auto",
        metavar="NAME",
        help="weight set (default: auto, the project's own)",
    )
    add(
        "--model_weights",
        type=Path,
        metavar="DIR",
        help="folder of weight sets (default: the project's)",
    )
    add(
        "--score",
        choices=SCORES,
        help="a video's score: share of clips called fake (vote), their mean probability, or the "
        "evidence for its most likely family of fakes (default: the set's own)",
    )
    add(
        "--threshold",
        type=float,
        metavar="T",
        help=f"call a video fake at this score or over it (default: {FAKE_THRESHOLD}; sets with a "
        "band of Unclear scores have their own)",
    )


def _add_outputs(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--json", type=location, metavar="FILE", help="also write everything as JSON")
    add(
        "--jsonl",
        type=location,
        metavar="FILE",
        help="also write JSON Lines, one per face as soon as it is known; - writes them to stdout "
        "instead of the plain lines",
    )
    add("--csv", type=location, metavar="FILE", help="also write CSV, one row per face")
    add("--report", type=Path, metavar="DIR", help="also write a page for each video, and an index")
    add("--plot", type=Path, metavar="DIR", help="also draw each video's scores over time, as SVG")
    add(
        "-v",
        "--visualize",
        action="store_true",
        help="also draw videos: landmarks in the colour of their clip's score, over a timeline",
    )
    add("--visualize_path", type=Path, default=Path("visualize"), help="where -v writes")
    add("--visualize_format", choices=VIDEO_FORMATS, default="mp4", help="of -v (default: mp4)")
    add(
        "--videos",
        nargs="+",
        type=location,
        default=[Path("input")],
        metavar="DIR",
        help="where --report and -v look for the videos of landmark files (default: input)",
    )


def find_inputs(given: argparse.Namespace) -> tuple[list[Path], list[Path]]:
    """Landmark files and videos that were named, or those of the default folders."""
    from ..run.detection import list_inputs

    if given.landmarks_path is not None:
        return list_inputs(given.landmarks_path, given.recursive)
    folders = [folder for folder in DEFAULT_FOLDERS if any(folder.glob("*.txt"))]
    if not folders:
        raise InputError("no landmark files in ./landmarks and ./landmarks_new; extract some first")
    return list_inputs(folders)


def main() -> int:
    given = parse_arguments()
    if given.serve:
        return run_server(given)
    landmark_files, videos = find_inputs(given)
    check_outputs(given, [*landmark_files, *videos])
    from ..run.classification import load_landmark_classifier
    from ..run.detection import default_extraction, detect_each
    from ..weights.sets import PROJECT_WEIGHTS

    folder = given.model_weights or PROJECT_WEIGHTS
    classifier = load_landmark_classifier(given.weights, folder, given.score, given.threshold)
    classifier.keep_evidence = bool(given.report or given.visualize)
    extraction = None
    if videos:
        extraction = default_extraction(
            given.output_path,
            partial(device_of_run, given),
            workers=given.workers,
            max_megapixels=given.max_megapixels,
            threads_each=threads_of_worker(given),
        )
    expected = [*landmark_files, *videos]
    done = failed = 0
    with (
        open_executor(given, extraction) as executor,
        open_writers(given, classifier, expected) as writers,
    ):
        found = detect_each(landmark_files, videos, classifier, extraction, executor)
        options = {"total": len(landmark_files), "desc": "classify", "unit": "face"}
        for result in found if videos else progress(found, **options, leave=False):
            for writer in writers:
                writer.add(result)
            if result.error:
                notice(result.error)
                failed += 1
            else:
                done += 1
    if failed:
        notice(f"{done} classified, {failed} failed")
    return EXIT_FAILED if failed else EXIT_DONE


def run() -> int:
    """What `lrnet-classify` runs."""
    return run_script(NAME, main)

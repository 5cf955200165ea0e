"""What leaves: JSON lines, CSV, pages, timelines, drawn videos, content credentials."""

import csv
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import numpy as np
import pytest
from conftest import PROJECT
from conftest import run_classify as run
from hypothesis import given
from hypothesis import strategies as st

from utils.errors import InputError
from utils.face_boxes import CropBox
from utils.landmark_files.crop_boxes import denormalize, format_boxes, parse_boxes
from utils.landmark_files.header import LandmarkHeader
from utils.landmark_files.io import LandmarkTrack, read_landmarks, write_landmarks
from utils.report.content_credentials import _summary, read_credentials
from utils.report.evidence_frames import select_clips
from utils.report.file_names import FileNames
from utils.report.page import PageWriter
from utils.report.per_video import VideoFinder, landmarks_by_frame
from utils.report.result_writers import CsvWriter, InOrder, JsonLinesWriter, JsonWriter
from utils.run.classification import load_landmark_classifier
from utils.run.detection import group_by_video, list_inputs
from utils.verdict.results import ClipScore, VideoResult
from utils.verdict.words import describe_stream, format_time
from utils.video.frames import Video
from utils.video.writer import VideoWriter
from utils.weights.sets import PROJECT_WEIGHTS, read_manifest

SCHEMA = json.loads((PROJECT / "docs" / "results.schema.json").read_text())
EVIL = '<img src=x onerror="alert(1)">$x$\n& \u05d0.mp4'
boxes = st.builds(CropBox, st.integers(0, 9999), st.integers(0, 9999), st.integers(1, 9999))


@pytest.fixture
def extracted(tmp_path, wandering_landmarks, face_video) -> Path:
    """A folder of one landmark file, whose video, of an evil name, lies in `videos`."""
    header = {"video": EVIL.replace("\n", " "), "fps": "25", "crop_boxes": "0:40,30,120"}
    write_landmarks(
        tmp_path / "in" / "evil.txt",
        LandmarkTrack(wandering_landmarks, "normalized", LandmarkHeader.parse(header)),
    )
    (tmp_path / "videos").mkdir()
    shutil.copy(face_video, tmp_path / "videos" / "plain.avi")
    return tmp_path / "in"


# One command


def test_a_video_is_extracted_and_classified_and_not_extracted_again(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    video = PROJECT / "input" / "sample_fake.mp4"
    status, lines, _ = run(monkeypatch, capsys, "-i", video)
    assert status == 0 and lines[0].split()[:2] == ["sample_fake.mp4", "Fake"]
    made = (tmp_path / "landmarks_new" / "sample_fake.txt").stat().st_mtime_ns
    status, again, _ = run(monkeypatch, capsys, "-i", video)
    assert again == lines
    assert (tmp_path / "landmarks_new" / "sample_fake.txt").stat().st_mtime_ns == made


def test_landmarks_of_another_video_of_the_name_are_not_taken(
    monkeypatch, capsys, tmp_path, wandering_landmarks
):
    monkeypatch.chdir(tmp_path)
    header = {"video": "sample_real.mp4", "video_bytes": "5", "fps": "25"}
    stale = tmp_path / "landmarks_new" / "sample_real.txt"
    write_landmarks(
        stale, LandmarkTrack(wandering_landmarks, "normalized", LandmarkHeader.parse(header))
    )
    _, _, errors = run(monkeypatch, capsys, "-i", PROJECT / "input" / "sample_real.mp4")
    assert "another sample_real.mp4" in errors
    assert len(read_landmarks(stale).landmarks) == 300


def test_a_file_that_is_no_video_costs_no_other(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"nothing" * 100)
    samples = PROJECT / "landmarks" / "sample_fake.txt"
    status, lines, errors = run(monkeypatch, capsys, "-i", bad, samples)
    assert status == 1 and len(lines) == 1
    assert sum("bad.mp4" in line for line in errors.splitlines()) == 1


def test_detect_returns_what_json_holds():
    from utils import detect

    found = detect(PROJECT / "landmarks")
    assert found.weights == "bundled"
    assert [face.name for face in found.videos] == ["sample_fake.txt", "sample_real.txt"]
    assert found.videos[0].label == "Fake" and len(found.videos[0].clips) == 5
    assert detect(PROJECT / "landmarks") == found


def test_the_package_has_nothing_else():
    import utils

    with pytest.raises(AttributeError, match="nothing"):
        _ = utils.nothing


def test_faces_of_a_video_come_together_the_main_one_first():
    names = ["a.face2.txt", "a.txt", "b.txt", "a.face10.txt"]
    ordered = [path.name for path in group_by_video([Path(name) for name in names])]
    assert ordered == ["a.txt", "a.face2.txt", "a.face10.txt", "b.txt"]


def test_a_folder_may_hold_both_kinds(tmp_path):
    for name in ("a.txt", "b.mp4", "c.pdf"):
        (tmp_path / name).write_text("x")
    landmark_files, videos = list_inputs([tmp_path])
    assert [path.name for path in (*landmark_files, *videos)] == ["a.txt", "b.mp4"]


# Formats


def result(name: str = "a.txt", **more: object) -> VideoResult:
    return VideoResult(name, Path("x") / name, **more)


def test_json_and_json_lines_keep_the_schema(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "short.txt").write_text("1 2 3\n")
    inputs = PROJECT / "landmarks", tmp_path / "short.txt"
    run(monkeypatch, capsys, "-i", *inputs, "--json", "a.json", "--jsonl", "a.jsonl")
    content = json.loads((tmp_path / "a.json").read_text())
    jsonschema.validate(content, SCHEMA)
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert [line.pop("weights") for line in lines] == ["bundled"] * 3
    assert [line.pop("threshold") for line in lines] == [0.5] * 3
    assert lines == content["videos"]


def test_json_lines_on_stdout_replace_the_plain_lines(monkeypatch, capsys):
    _, lines, _ = run(monkeypatch, capsys, "-i", PROJECT / "landmarks", "--jsonl", "-")
    assert [json.loads(line)["name"] for line in lines] == ["sample_fake.txt", "sample_real.txt"]


def test_a_line_is_there_as_soon_as_a_face_is_done(tmp_path):
    path = tmp_path / "a.jsonl"
    writer = JsonLinesWriter(path, "bundled", 0.5)
    writer.add(result())
    assert json.loads(path.read_text())["name"] == "a.txt"
    writer.close()


@pytest.mark.parametrize("names", [[], ["a.txt"], ["a.txt", "b.txt"]])
def test_json_is_whole_with_any_number_of_faces(tmp_path, names):
    writer = JsonWriter(tmp_path / "a.json", "bundled", 0.5)
    for name in names:
        writer.add(result(name))
    assert not (tmp_path / "a.json").exists()
    writer.close()
    assert [video["name"] for video in json.loads((tmp_path / "a.json").read_text())["videos"]] == (
        names
    )


def test_what_was_found_before_an_interruption_is_written_and_marked(tmp_path):
    lines = JsonLinesWriter(tmp_path / "a.jsonl", "x", 0.5)
    for writer in (JsonWriter(tmp_path / "a.json", "x", 0.5), CsvWriter(tmp_path / "a.csv"), lines):
        writer.add(result())
        writer.close(interrupted=True)
    content = json.loads((tmp_path / "a.json").read_text())
    assert content["interrupted"] is True and len(content["videos"]) == 1
    rows = list(csv.DictReader((tmp_path / "a.csv").open()))
    assert len(rows) == 2 and rows[1]["error"].startswith("interrupted")
    last = (tmp_path / "a.jsonl").read_text().splitlines()[-1]
    assert json.loads(last)["interrupted"] is True


@pytest.mark.parametrize("name", ["=1+1.txt", "+a.txt", "-a.txt", "@a.txt", "a\nb,Fake,1.txt"])
def test_no_name_makes_a_formula_or_a_row(tmp_path, name):
    writer = CsvWriter(tmp_path / "a.csv")
    writer.add(result(name))
    writer.close()
    lines = (tmp_path / "a.csv").read_text().splitlines()
    assert len(lines) == 2
    row = next(csv.DictReader(lines))
    assert row["name"][0] not in "=+-@" and row["label"] == ""


def test_names_that_are_no_unicode_can_be_written(tmp_path):
    writer = CsvWriter(tmp_path / "a.csv")
    writer.add(result("a\udcff.txt"))
    writer.close()
    assert "a?.txt" in (tmp_path / "a.csv").read_text()


# Where the crops lay


@given(st.lists(boxes, min_size=1, max_size=40))
def test_crop_boxes_are_read_as_they_were_written(crops):
    read = parse_boxes(format_boxes(crops), len(crops))
    assert [CropBox(*map(int, row)) for row in read] == crops


@pytest.mark.parametrize("value", ["x", "1:0,0,5", "0:0,0,5 0:1,1,5", "0:0,0,5 9:1,1,5"])
def test_crop_boxes_that_do_not_fit_are_an_input_error(value):
    with pytest.raises(InputError, match="crop_boxes"):
        parse_boxes(value, 5)


@given(st.sampled_from([0, 90, 180, 270]), st.floats(-1, 1), st.floats(-1, 1))
def test_turning_back_keeps_the_distance_from_the_crops_middle(turned, x, y):
    landmarks = np.full((1, 68, 2), (x, y))
    placed = denormalize(landmarks, np.array([[10, 20, 100]]), turned)[0, 0]
    assert np.hypot(*(placed - (60, 70))) == pytest.approx(50 * np.hypot(x, y), abs=1e-9)


def test_landmarks_lie_on_the_frames_that_they_came_from(monkeypatch, capsys, tmp_path):
    """The eyes of the sample, in pixels of its 512-pixel frames."""
    monkeypatch.chdir(tmp_path)
    run(monkeypatch, capsys, "-i", PROJECT / "input" / "sample_real.mp4")
    placed = landmarks_by_frame(read_landmarks(tmp_path / "landmarks_new" / "sample_real.txt"))
    assert sorted(placed) == list(range(300))
    eyes = placed[0][36:48].mean(axis=0)
    assert 200 < eyes[0] < 312 and 150 < eyes[1] < 260


# Words


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0, "00:00"), (61.9, "01:01"), (3661, "1:01:01")]
)
def test_times_read_as_players_show_them(seconds, expected):
    assert format_time(seconds) == expected


def clips(*scores: float) -> list[ClipScore]:
    return [ClipScore(60 * n, 60 * n + 60, 2.0 * n, s, s, s) for n, s in enumerate(scores)]


def test_a_stream_is_described_by_its_most_suspicious_clip():
    said = describe_stream("g1", clips(0.2, 0.9, 0.4))
    assert "1 of 3" in said and "00:02" in said and "0.90" in said


@pytest.mark.parametrize(
    ("scores", "shown"),
    [((0.1,), [0.1]), ((0.1, 0.9), [0.9, 0.1]), ((0.5, 0.1, 0.9, 0.2, 0.7), [0.9, 0.7, 0.5, 0.1])],
)
def test_the_most_suspicious_and_the_calmest_clips_are_shown(scores, shown):
    assert [clip.score for clip in select_clips(clips(*scores))] == shown


# Pages and pictures


def test_a_page_runs_nothing_that_a_name_says(monkeypatch, capsys, tmp_path, extracted):
    run(monkeypatch, capsys, "-i", extracted, "--report", tmp_path / "r", "--plot", tmp_path / "p")
    page = (tmp_path / "r" / "evil.html").read_text()
    index = (tmp_path / "r" / "index.html").read_text()
    for text in (page, index):
        assert "<img src=x" not in text and "&lt;img src=x" in text
        assert "default-src 'none'" in text and not re.search(r"(src|href)=\"https?:", text)
    drawn = ElementTree.parse(tmp_path / "p" / "evil.svg")
    titles = [text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert any("<img src=x" in title for title in titles)  # text, as it is for a reader


def test_a_page_says_what_makes_a_verdict_unreliable(
    monkeypatch, capsys, tmp_path, wandering_landmarks
):
    header = {"video": "small.mp4", "fps": "25", "eye_pixels": "20"}
    write_landmarks(
        tmp_path / "in" / "small.txt",
        LandmarkTrack(wandering_landmarks, "normalized", LandmarkHeader.parse(header)),
    )
    run(monkeypatch, capsys, "-i", tmp_path / "in", "--report", tmp_path / "r")
    page = (tmp_path / "r" / "small.html").read_text()
    assert "20 pixels between the eyes, minimum 32" in page
    assert re.search(r'class="outside"><td>distance between the eyes', page)
    assert "weakest first" in page and "--videos DIR" in page


def test_pictures_and_a_drawn_video_are_made_where_the_video_is(
    monkeypatch, capsys, tmp_path, extracted
):
    header = {"video": "plain.avi", "fps": "25", "crop_boxes": "0:40,30,120"}
    track = read_landmarks(extracted / "evil.txt")
    write_landmarks(
        extracted / "evil.txt",
        LandmarkTrack(track.landmarks, "normalized", LandmarkHeader.parse(header)),
    )
    monkeypatch.chdir(tmp_path)
    flags = "--report", "r", "-v", "--videos", tmp_path / "videos"
    run(monkeypatch, capsys, "-i", extracted, *flags)
    assert (tmp_path / "r" / "evil.html").read_text().count("data:image/webp;base64,") >= 2
    with Video(tmp_path / "visualize" / "evil_scores.mp4") as drawn:
        assert sum(1 for _ in drawn.frames()) > 5


def test_a_video_that_is_not_found_is_reported(monkeypatch, capsys, tmp_path, extracted):
    monkeypatch.chdir(tmp_path)
    status, _, errors = run(monkeypatch, capsys, "-i", extracted, "-v")
    assert status == 0 and "is not found" in errors


@pytest.mark.parametrize("name", ["../secret.mp4", "{outside}/secret.mp4", ""])
def test_a_header_leads_out_of_no_folder(tmp_path, name):
    (tmp_path / "secret.mp4").touch()
    (tmp_path / "videos").mkdir()
    find_video = VideoFinder([tmp_path / "videos"])
    assert find_video(result(video=name.format(outside=tmp_path))) is None
    (tmp_path / "videos" / "secret.mp4").touch()
    assert find_video(result(video="secret.mp4")) == tmp_path / "videos" / "secret.mp4"


@pytest.mark.parametrize("name", ["a/b", "..", ".", "-x", "x" * 300, "\u05d0 <b>", "index"])
def test_pages_have_safe_names_of_their_own(name):
    names = FileNames()
    names.reserve("index")
    given = [names.of(VideoResult(f"{name}.txt", Path(f"{name}.txt".replace("/", ":"))))]
    given.append(names.of(VideoResult(f"{name}.txt", Path(f"{name}.txt".replace("/", ":")))))
    assert len(set(given)) == 2 and "index" not in given
    assert all(re.fullmatch(r"[\w][\w.-]*", one) and len(one) < 120 for one in given)


@pytest.mark.parametrize("suffix", ["avi", "mp4"])
@pytest.mark.parametrize("shape", [(64, 96, 3), (65, 97, 3)])
def test_written_videos_have_their_frames(tmp_path, suffix, shape):
    path = tmp_path / f"a.{suffix}"
    with VideoWriter(path, 29.97) as writer:
        for level in range(0, 200, 20):
            writer.write(np.full(shape, level, np.uint8))
    with Video(path) as video:
        levels = [frame.picture.mean() for frame in video.frames()]
        assert video.fps == pytest.approx(29.97, abs=0.01)
    assert levels == pytest.approx(list(range(0, 200, 20)), abs=4)


def test_a_video_that_cannot_be_written_is_an_input_error(tmp_path):
    (tmp_path / "file").write_text("")
    for suffix in ("avi", "mp4"):
        with (
            pytest.raises(InputError, match="cannot be written"),
            VideoWriter(tmp_path / "file" / f"a.{suffix}", 25) as writer,
        ):
            writer.write(np.zeros((32, 32, 3), np.uint8))


# Content credentials


def test_a_file_without_credentials_has_none():
    assert read_credentials(PROJECT / "input" / "sample_fake.mp4") is None


def test_credentials_are_those_of_the_newest_manifest():
    actions = [{"action": "c2pa.created", "digitalSourceType": "http://x/trainedAlgorithmicMedia"}]
    manifest = {
        "title": "a.mp4",
        "claim_generator_info": [{"name": "Maker", "version": "2"}],
        "signature_info": {"issuer": "Somebody"},
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": actions}}],
    }
    found = _summary({"active_manifest": "m", "manifests": {"m": manifest}})
    assert found.generator == "Maker 2" and found.issuer == "Somebody"
    assert found.actions == ["c2pa.created trainedAlgorithmicMedia"]
    assert found.state == "not checked" and _summary({}) is None


def test_the_index_shows_the_reason_of_the_deciding_face(tmp_path):
    faces = [
        VideoResult("a.txt", tmp_path / "a.txt", "a.mp4", "1 of 2", label="Real", score=0.1),
        result("a.face2.txt", video="a.mp4", face="2 of 2", error="too few frames"),
        VideoResult("a.face3.txt", tmp_path / "a.face3.txt", "a.mp4", "3 of 3", reasons=["why"]),
    ]
    faces[2] = replace(faces[2], label="Unclear", error="not looked at")
    faces[0] = replace(faces[0], error="not looked at")
    writer = PageWriter(tmp_path / "r", read_manifest().sets["bundled"], VideoFinder([]))
    writer.write_video(faces)
    writer.finish()
    index = (tmp_path / "r" / "index.html").read_text()
    assert ">why</td>" in index and "too few frames" not in index


def test_the_index_shows_folders_of_files_with_the_same_name(tmp_path):
    weights = read_manifest().members("auto")[0]
    writer = PageWriter(tmp_path / "report", weights, VideoFinder([]))
    for folder in ("one", "two"):
        writer.add(VideoResult("a.txt", Path(folder, "a.txt"), video="a.mp4", error="no face"))
    writer.close()
    index = (tmp_path / "report" / "index.html").read_text()
    assert "a.mp4 (one)" in index and "a.mp4 (two)" in index


def test_a_report_holds_its_results_as_data_without_this_machines_folders(tmp_path):
    weights = read_manifest().members("auto")[0]
    writer = PageWriter(tmp_path, weights, VideoFinder([]))
    given = Path("/home/somebody/secret/a.txt")
    writer.add(VideoResult("a.txt", given, source=given, error="no face"))
    writer.close()
    (video,) = json.loads((tmp_path / "results.json").read_text())["videos"]
    assert (video["path"], video["source"]) == ("a.txt", "a.txt")
    assert not [path for path in tmp_path.iterdir() if "secret" in path.read_text()]


class Noted:
    """A writer that notes what it is told."""

    def __init__(self):
        self.names: list[str] = []
        self.interrupted: bool | None = None

    def add(self, result):
        self.names.append(result.name)

    def close(self, interrupted=False):
        self.interrupted = interrupted


def written_in_order(given: list[str], expected: list[str], interrupted: bool = False) -> Noted:
    noted = Noted()
    writer = InOrder([noted], [Path(name) for name in expected])
    for name in given:
        writer.add(VideoResult(name, Path(name)))
    writer.close(interrupted)
    assert noted.interrupted is interrupted
    return noted


@given(st.permutations([f"{letter}.txt" for letter in "abcdef"]))
def test_results_are_written_in_the_order_of_the_inputs(order):
    expected = sorted(order)
    assert written_in_order(list(order), expected).names == expected


def test_what_was_found_before_an_interruption_is_written_in_order():
    found = ["c.txt", "a.txt"]
    assert written_in_order(found, ["a.txt", "b.txt", "c.txt"], True).names == ["a.txt", "c.txt"]


def test_faces_of_a_video_stay_together_in_order():
    noted = Noted()
    writer = InOrder([noted], [Path("a.mp4"), Path("b.mp4")])
    for video in ("b", "a"):
        for number in ("1", "2"):
            name = f"{video}.txt" if number == "1" else f"{video}.face2.txt"
            face = VideoResult(name, Path(name), face=f"{number} of 2", source=Path(f"{video}.mp4"))
            writer.add(face)
    writer.close()
    assert noted.names == ["a.txt", "a.face2.txt", "b.txt", "b.face2.txt"]


def test_a_missing_landmark_file_loses_only_its_curves(tmp_path, capsys):
    gone = tmp_path / "gone.txt"
    shutil.copy(PROJECT / "landmarks" / "sample_real.txt", gone)
    classifier = load_landmark_classifier("auto", PROJECT_WEIGHTS, None, None)
    (result,) = classifier.classify([gone])
    gone.unlink()
    writer = PageWriter(tmp_path / "report", classifier.weights, VideoFinder([]))
    writer.add(result)
    writer.close()
    assert "Unclear" in (tmp_path / "report" / "gone.html").read_text()
    assert "no curves for the report" in capsys.readouterr().err

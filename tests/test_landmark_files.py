from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from utils.console import printable
from utils.errors import InputError
from utils.landmark_files.header import LandmarkHeader
from utils.landmark_files.io import LandmarkTrack, output_names, read_landmarks, write_landmarks

numbers = st.floats(-2, 2, allow_nan=False)


@given(
    hnp.arrays(np.float64, st.tuples(st.integers(1, 4), st.just(68), st.just(2)), elements=numbers),
    st.dictionaries(st.sampled_from(["video", "crop", "note"]), st.text(max_size=30), max_size=3),
)
def test_written_landmarks_are_read_back(tmp_path_factory, landmarks, header):
    path = tmp_path_factory.mktemp("files") / "face.txt"
    landmarks = landmarks.copy()
    landmarks[:, :2] = (-1, -2), (1, 2)  # a face has an extent
    write_landmarks(path, LandmarkTrack(landmarks, "normalized", LandmarkHeader.parse(header)))
    track = read_landmarks(path)
    assert np.abs(track.landmarks - landmarks).max() <= 0.5e-5 + 1e-12
    assert track.format == "normalized"
    assert path.read_text(encoding="utf-8").startswith(
        "# lrnet-landmarks: 1\n# format: normalized\n"
    )
    for key, value in header.items():
        assert track.header.format().get(key, "") == printable(value)


@given(st.text(st.characters(), max_size=40))
def test_a_printable_name_is_one_line_without_controls(name):
    line = printable(name)
    assert line.encode("utf-8").decode().splitlines() in ([], [line])
    assert not set(line) & set("\x00\x1b\n\r\u202e")


def test_a_name_in_any_script_stays_as_it_is():
    assert (
        printable("a \u05d0 \U0001f469\u200d\U0001f52c.mp4")
        == "a \u05d0 \U0001f469\u200d\U0001f52c.mp4"
    )


def test_numpy_reads_a_landmark_file(tmp_path, wandering_landmarks):
    path = tmp_path / "face.txt"
    write_landmarks(path, LandmarkTrack(wandering_landmarks, "normalized"))
    assert np.loadtxt(path).shape == (90, 136)


def test_no_partial_file_is_left_where_writing_fails(tmp_path, monkeypatch, wandering_landmarks):
    def full_disk(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savetxt", full_disk)
    with pytest.raises(InputError, match="No space left"):
        write_landmarks(tmp_path / "face.txt", LandmarkTrack(wandering_landmarks, "normalized"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "holds no landmarks"),
        ("# format: normalized\n", "holds no landmarks"),
        ("hello world\n", "not a landmark file"),
        ("1 2 3\n4 5 6\n", "3 numbers per line"),
        ("1 2\n3\n", "not a landmark file"),
        ("nan " * 136 + "\n", "frame 0 holds NaN"),
        ("# lrnet-landmarks: 2\n" + "0 " * 136, "version 2"),
        ("# format: polar\n" + "0 " * 136, "unknown landmark format"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(tmp_path, content, complaint):
    path = tmp_path / "bad.txt"
    path.write_text(content)
    with pytest.raises(InputError, match=complaint) as caught:
        read_landmarks(path)
    assert "bad.txt" in str(caught.value)


def test_a_binary_file_is_refused(tmp_path):
    path = tmp_path / "bad.txt"
    path.write_bytes(bytes(range(256)) * 9)
    with pytest.raises(InputError, match="not a landmark file"):
        read_landmarks(path)


def test_a_missing_file_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_landmarks(tmp_path / "none.txt")


def names(*videos: str) -> list[str]:
    return output_names([Path(video) for video in videos])


def test_a_landmark_file_is_named_for_its_video():
    assert names("in/a.mp4", "in/b.1.mp4", "in/b.2.mp4") == ["a.txt", "b.1.txt", "b.2.txt"]


def test_videos_of_one_stem_keep_their_whole_name():
    assert names("a.mp4", "a.avi", "b.avi") == ["a.mp4.txt", "a.avi.txt", "b.txt"]


def test_a_stem_that_is_another_videos_name_does_not_collide():
    assert len(set(names("a.mp4", "a.avi", "a.mp4.mkv"))) == 3


def test_one_file_name_from_two_folders_is_refused():
    with pytest.raises(InputError, match="two folders"):
        names("x/a.mp4", "y/a.mp4")


def test_a_byte_order_mark_is_read_over(tmp_path, wandering_landmarks):
    write_landmarks(tmp_path / "a.txt", LandmarkTrack(wandering_landmarks, "normalized"))
    (tmp_path / "b.txt").write_bytes(b"\xef\xbb\xbf" + (tmp_path / "a.txt").read_bytes())
    plain, marked = (read_landmarks(tmp_path / name) for name in ("a.txt", "b.txt"))
    assert np.array_equal(plain.landmarks, marked.landmarks) and plain.header == marked.header


@pytest.mark.parametrize("place", [0.0, 0.25])
def test_a_face_that_collapses_to_a_point_is_refused_with_its_frame(
    tmp_path, wandering_landmarks, place
):
    landmarks = wandering_landmarks.copy()
    landmarks[7] = place
    write_landmarks(tmp_path / "a.txt", LandmarkTrack(landmarks, "normalized"))
    with pytest.raises(InputError, match="frame 7"):
        read_landmarks(tmp_path / "a.txt")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("video_frames", "9" * 5000),
        ("video_frames", "9" * 30),
        ("video_frames", "-1"),
        ("fps", "1e-320"),
        ("fps", "nan"),
        ("fps", "1e9"),
        ("seconds", "1e300"),
        ("score", "high"),
        ("yaw", "1 2"),
        ("shot_times", "0.0 later"),
    ],
)
def test_a_header_value_that_cannot_be_read_counts_as_missing(key, value):
    header = LandmarkHeader.parse({key: value, "width": "640"})
    assert getattr(header, key) is None and header.width == 640
    assert header.format()[key] == value  # and is not lost when the file is written again


def test_a_name_of_any_length_is_cut():
    assert len(LandmarkHeader.parse({"video": "a" * 5000}).video) == 255


def test_a_header_is_written_as_it_was_read(tmp_path, face_video):
    from utils.run.extraction_job import ExtractionOptions
    from utils.run.video_extraction import VideoExtractor

    options = ExtractionOptions(landmark_detector="mediapipe")
    VideoExtractor(options).extract(face_video, tmp_path / "face.txt", False)
    track = read_landmarks(tmp_path / "face.txt")
    write_landmarks(tmp_path / "again.txt", track)
    assert (tmp_path / "again.txt").read_bytes() == (tmp_path / "face.txt").read_bytes()
    assert not track.header.others and track.header.share_of_frames == 1

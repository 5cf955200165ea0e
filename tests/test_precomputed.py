import numpy as np
import pytest
from conftest import reference

from utils.errors import InputError
from utils.landmark_files.io import read_landmarks
from utils.landmark_files.precomputed import find_precomputed, read_precomputed
from utils.run.extraction import extract_videos
from utils.run.extraction_job import ExtractionOptions


@pytest.fixture
def landmarks(random) -> np.ndarray:
    """Sub-pixel landmarks (40, 68, 2) of a face that moves a little."""
    face = random.uniform(70, 190, (68, 2))
    return face + random.standard_normal((40, 1, 2)).cumsum(axis=0) * 0.5


def write_openface(path, landmarks, success, spaces: bool, skip: frozenset = frozenset()) -> None:
    """As FeatureExtraction writes it; old versions put a space after each comma."""
    columns = ["frame", "face_id", "timestamp", "confidence", "success"]
    columns += [f"x_{k}" for k in range(68)] + [f"y_{k}" for k in range(68)]
    with path.open("w", newline="") as file:
        comma = ", " if spaces else ","
        file.write(comma.join(columns) + "\n")
        for number, (points, found) in enumerate(zip(landmarks, success, strict=True), start=1):
            if number in skip:
                continue
            row = [number, 0, number / 25, 0.98 if found else 0, int(found), *points.T.ravel()]
            file.write(comma.join(map(str, row)) + "\n")


@pytest.mark.parametrize("spaces", [True, False])
def test_openface_csv_is_read_with_sub_pixel_landmarks(tmp_path, landmarks, spaces):
    success = np.arange(40) != 7
    write_openface(tmp_path / "a.csv", landmarks, success, spaces)
    track = read_precomputed(tmp_path / "a.csv")
    assert np.allclose(track.landmarks, landmarks)
    assert (track.detected == success).all()
    assert track.score == pytest.approx(0.98)


def test_a_row_that_is_missing_is_a_frame_without_a_face(tmp_path, landmarks):
    write_openface(tmp_path / "a.csv", landmarks, np.ones(40, bool), False, frozenset({3, 4}))
    track = read_precomputed(tmp_path / "a.csv")
    assert np.flatnonzero(~track.detected).tolist() == [2, 3]
    assert np.allclose(track.landmarks[4:], landmarks[4:])


@pytest.mark.parametrize("suffix", ["csv", "npz"])
def test_precomputed_landmarks_are_calibrated(tmp_path, face_video, landmarks, suffix, capsys):
    detected = np.ones(30, bool)
    if suffix == "csv":
        write_openface(tmp_path / "face.csv", landmarks[:30], detected, True)
    else:
        np.savez(tmp_path / "face.npz", landmarks=landmarks[:30], detected=detected)
    options = ExtractionOptions(
        output_path=tmp_path / "out", log_file=tmp_path / "log.txt", precomputed=tmp_path
    )
    assert extract_videos([face_video], options) == 0
    track = read_landmarks(tmp_path / "out" / "face.txt")
    assert track.landmarks.shape == (30, 68, 2)
    assert track.header.landmark_detector == "precomputed"
    assert "covers 30 of 40 frames" in capsys.readouterr().err


@pytest.mark.parametrize("crop", ["stable", "per-frame"])
@pytest.mark.parametrize("track", ["dfo_fake_gaps", "dfo_real_clean"])
def test_the_golden_tracks_are_reproduced_from_precomputed_landmarks(tmp_path, track, crop):
    raw = reference("golden", f"{track}_raw.npz")
    golden = np.loadtxt(reference("golden", f"{track}_{crop.replace('-', '')}.txt"))
    video = reference("videos", f"{track.rsplit('_', 1)[0]}.mp4")
    (tmp_path / f"{video.stem}.npz").write_bytes(raw.read_bytes())
    options = ExtractionOptions(
        output_path=tmp_path, log_file=tmp_path / "log", precomputed=tmp_path, crop=crop
    )
    assert extract_videos([video], options) == 0
    ours = np.loadtxt(tmp_path / f"{video.stem}.txt")
    assert (np.abs(ours - golden) < 1e-9).mean() >= 0.999
    assert np.abs(ours - golden).max() <= 0.005


def test_more_frames_than_the_video_has_is_an_error(tmp_path, face_video, landmarks, capsys):
    twice = np.concatenate([landmarks, landmarks])
    np.savez(tmp_path / "face.npz", landmarks=twice, detected=np.ones(80, bool))
    options = ExtractionOptions(
        output_path=tmp_path / "out", log_file=tmp_path / "log", precomputed=tmp_path
    )
    assert extract_videos([face_video], options) == 1
    assert "ends before frame 40, for which there are landmarks" in capsys.readouterr().err


def test_a_video_without_a_file_is_an_error(tmp_path, face_video):
    with pytest.raises(InputError, match=r"no face\.csv or face\.npz"):
        find_precomputed(face_video, tmp_path)


def test_two_files_for_a_video_are_an_error(tmp_path, face_video):
    for suffix in ("csv", "npz"):
        (tmp_path / f"face.{suffix}").touch()
    with pytest.raises(InputError, match="both exist"):
        find_precomputed(face_video, tmp_path)


@pytest.mark.parametrize(
    ("arrays", "complaint"),
    [
        ({"landmarks": np.zeros((3, 68, 2))}, "lacks"),
        ({"landmarks": np.zeros((3, 5, 2)), "detected": np.ones(3)}, "not \\(frames, 68, 2\\)"),
        ({"landmarks": np.zeros((3, 68, 2)), "detected": np.ones(2)}, "2 x detected"),
        ({"landmarks": np.full((3, 68, 2), np.nan), "detected": np.ones(3)}, "NaN"),
    ],
)
def test_an_npz_that_cannot_be_used_says_why(tmp_path, arrays, complaint):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(InputError, match=complaint):
        read_precomputed(tmp_path / "a.npz")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [("", "no frames"), ("frame,success\n1,1\n", "lacks 'x_0'"), ("\x00\x01", "a.csv")],
)
def test_a_csv_that_cannot_be_used_says_why(tmp_path, content, complaint):
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(InputError, match=complaint):
        read_precomputed(tmp_path / "a.csv")


def test_a_second_face_in_a_csv_is_refused(tmp_path, landmarks):
    write_openface(tmp_path / "a.csv", landmarks[:2], np.ones(2, bool), False)
    lines = (tmp_path / "a.csv").read_text().splitlines()
    (tmp_path / "a.csv").write_text("\n".join([*lines, lines[-1]]))
    with pytest.raises(InputError, match="more than one row"):
        read_precomputed(tmp_path / "a.csv")


def test_a_file_that_is_no_npz_is_refused(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(InputError, match=r"a\.npz"):
        read_precomputed(tmp_path / "a.npz")

"""The corpus of labelled videos, and the training of the third stream on it."""

import itertools
import re
from dataclasses import replace

import cv2
import numpy as np
import pytest
from conftest import PROJECT, write_video

from training import corpus, texture_stream
from training.changed_videos import CHANGES, change_video
from training.corpus import (
    Change,
    CorpusRow,
    CorpusTrack,
    CorpusVideo,
    change_of,
    extract_row,
    read_rows,
    read_tracks,
)
from utils.errors import InputError
from utils.video.frames import Video

COLUMNS = (
    *("name", "repository", "commit", "path", "sha256", "blob", "label", "family"),
    *("manipulation", "dataset", "group", "crop", "note"),
)


def test_a_labelled_crop_of_a_video_becomes_landmarks_and_texture(tmp_path, monkeypatch):
    monkeypatch.setattr(corpus, "MAX_FRAMES", 40)
    sample = (PROJECT / "input" / "sample_real.mp4").read_bytes()
    (tmp_path / "0123456789abcdef.mp4").write_bytes(sample)
    values = ("a", "r/r", "", "x.mp4", "0123456789abcdef00", "", "real", "real", "", "d", "g")
    table = tmp_path / "list.tsv"
    table.write_text("\t".join(COLUMNS) + "\n" + "\t".join([*values, "20,0,480,500", ""]) + "\n")
    (row,) = read_rows(table)
    assert extract_row((row, tmp_path, tmp_path / "out", None)) == ""
    (track,) = read_tracks([row], tmp_path / "out")
    assert [len(part) for part in track.landmarks] == [40]
    assert track.frame_pixels == 480 and not track.row.fake


def test_a_changed_copy_is_smaller_and_skips_frames(tmp_path):
    sample = PROJECT / "input" / "sample_real.mp4"
    with Video(sample) as video:
        whole = [picture.copy() for picture in itertools.islice(video.pictures(), 9)]
    row = CorpusRow("a", False, "real", "", "d", "s", "g", sample.name, (20, 0, 480, 500))
    with CorpusVideo(sample, row, Change(28, 0.5, 2)) as video:
        parts = list(itertools.islice(video.pictures(), 4))
    assert [part.shape for part in parts] == [(250, 240, 3)] * 4
    assert extract_row((row, sample.parent, tmp_path / "out", Change(28, 0.5, 2))) == ""
    small = cv2.resize(whole[6][:500, 20:500], (240, 250), interpolation=cv2.INTER_AREA)
    assert np.array_equal(parts[3], small)


def test_about_half_of_the_rows_have_a_copy():
    copies = [change_of(f"row {number}") for number in range(400)]
    assert 160 < sum(copy is not None for copy in copies) < 240


def test_a_list_without_a_column_is_an_input_error(tmp_path):
    (tmp_path / "list.tsv").write_text("name\tlabel\na\tfake\n")
    with pytest.raises(InputError, match="not a list of labelled videos"):
        read_rows(tmp_path / "list.tsv")


def some_tracks(random, count: int) -> tuple[list[CorpusTrack], list[np.ndarray]]:
    """Tracks of a few sources, and figures of which the first tells fakes from real ones."""
    tracks, figures = [], []
    for index in range(count):
        row = CorpusRow(
            str(index), index % 2 == 1, "swap", "", "d", f"s{index % 12}", f"g{index}", "", ()
        )
        tracks.append(CorpusTrack(row, 25, 60, 150, 480, []))
        values = random.normal(size=(3, 8))
        values[:, 0] += 3 * row.fake
        figures.append(values)
    return tracks, figures


def test_no_source_is_on_both_sides_of_a_fold(random):
    tracks, _ = some_tracks(random, 60)
    fold = texture_stream.deal_folds(tracks)
    sources = np.array([track.row.source for track in tracks])
    assert all(len(set(fold[sources == source])) == 1 for source in set(sources))
    assert set(fold) == set(range(texture_stream.FOLDS))


def test_the_third_stream_learns_to_separate_fakes_from_real_tracks(random):
    pytest.importorskip("sklearn", reason="scikit-learn is missing: requirements-dev.txt")
    tracks, figures = some_tracks(random, 60)
    recipe = replace(texture_stream.RECIPE, kinds=((3, 3), (2,)), kind_shares=(0.5, 0.5))
    found = texture_stream.out_of_fold(tracks, figures, {}, recipe)
    fake = np.array([track.row.fake for track in tracks])
    assert found[fake, 0].mean() > 0.5 and found[~fake, 0].mean() < -0.5
    assert ((found[:, 1] > 0) & (found[:, 1] <= 1)).all()


def test_a_clip_of_a_copy_counts_less_and_its_track_the_same(random, monkeypatch):
    tracks, figures = some_tracks(random, 60)
    copied = tracks[0].row.name
    given: dict[str, np.ndarray] = {}
    monkeypatch.setattr(
        texture_stream, "fit_machine",
        lambda values, fake, recipe, weights, sources: given.update(weights=weights),
    )  # fmt: skip
    texture_stream.train(tracks, figures, {copied: figures[0][:1]}, texture_stream.RECIPE)
    clips = len(figures[0][: texture_stream.MAX_CLIPS])
    of_video, of_copy = given["weights"][:clips], given["weights"][clips]
    assert of_copy == pytest.approx(texture_stream.RECIPE.copy_weight * of_video[0])
    each = texture_stream.track_weights(tracks)
    others = given["weights"][clips + 1 :].sum()
    assert (of_video.sum() + of_copy) / others == pytest.approx(each[0] / each[1:].sum())


def test_the_table_of_robustness_is_made_with_the_set_that_decides_by_itself(monkeypatch, capsys):
    from training import robustness

    samples = PROJECT / "landmarks"
    made = {
        samples / "sample_real.txt": ("a.mp4", "original"),
        samples / "sample_fake.txt": ("a.mp4", "crf 34"),
    }
    monkeypatch.setattr(robustness, "extract_versions", lambda videos, folder: made)
    monkeypatch.setattr("sys.argv", ["robustness", "--videos", str(PROJECT / "input")])
    assert robustness.main() == 0
    printed = capsys.readouterr().out
    assert re.search(r"\| crf 34 \| 1 \| 0\.599 .* \| 1 \|", printed)  # the copy is called Fake
    assert "Called Fake unchanged: 0 of 1" in printed


@pytest.mark.parametrize("change", CHANGES)
def test_a_video_is_changed_as_its_name_says(tmp_path, random, change):
    pytest.importorskip("imageio_ffmpeg", reason="imageio-ffmpeg is missing")
    frames = list(random.integers(0, 255, (12, 64, 96, 3), np.uint8))
    original = write_video(tmp_path / "a.mp4", frames)
    change_video(original, CHANGES[change], tmp_path / "b.mp4")
    with Video(tmp_path / "b.mp4") as video:
        count, size = sum(1 for _ in video.frames()), (video.width, video.height)
    sizes = {"half the size": (48, 32), "twice the size": (192, 128), "padded": (192, 64)}
    counts = {"twice as fast": {6}, "30 frames per second": {14, 15}}
    assert size == sizes.get(change, (96, 64))
    assert count in counts.get(change, {12})


def test_the_list_of_real_people_names_no_video_twice():
    rows = read_rows(PROJECT / "training" / "real_videos.tsv")
    assert len({row.name for row in rows}) == len(rows) == len({row.file for row in rows})
    assert not any(row.fake for row in rows)

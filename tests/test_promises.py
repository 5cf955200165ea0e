"""What SECURITY.md promises, kept under attack: a kind of fault a test."""

import http.server
import os
import subprocess
import sys
import threading
from pathlib import Path

import av
import numpy as np
import pytest
from conftest import PROJECT, run_classify, write_video

from utils import processes
from utils.atomic_write import AtomicFile, partial_path
from utils.errors import InputError
from utils.inputs import list_files
from utils.landmark_files.io import LandmarkTrack, write_landmarks
from utils.landmark_files.precomputed import read_precomputed
from utils.locations import location
from utils.outputs import check_output_file
from utils.report.content_credentials import _summary
from utils.report.result_writers import JsonLinesWriter, close_all
from utils.report.timeline import Timeline
from utils.scaling import worker_processes
from utils.scaling.worker_processes import run_apart
from utils.verdict.results import ClipScore, VideoResult
from utils.video.frames import Video
from utils.weights import downloads
from utils.weights.downloads import ModelFile, fetch_file
from utils.weights.sets import obtain_files, read_manifest
from utils.weights.stream_weights import load_stream_weights

SET = "{format: any, clip_length: 60, architecture: convolutional, units: 4, files: %s}"
FILES = "{g1: {name: a, sha256: '%s', url: 'http://127.0.0.1:9/a'}, g2: {name: b}}" % ("0" * 64)


def manifest(folder: Path, text: str):
    folder.mkdir(exist_ok=True)
    (folder / "manifest.yaml").write_text(text)
    return read_manifest(folder)


# A folder of weights


def test_a_sets_folder_that_is_a_link_is_not_written_through(tmp_path, monkeypatch):
    monkeypatch.delenv("LRNET_OFFLINE")
    (tmp_path / "elsewhere").mkdir()
    known = manifest(tmp_path / "w", f"sets:\n  mine: {SET % FILES}\n")
    (tmp_path / "w" / "mine").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="link that leads out"):
        obtain_files(known.sets["mine"].files, tmp_path / "w")
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize("part", ["sets", "ensembles"])
def test_a_folder_does_not_redefine_the_bundled_set(tmp_path, part):
    entry = SET % FILES if part == "sets" else "{members: [deeper]}"
    with pytest.raises(InputError, match="cannot be redefined"):
        manifest(tmp_path, f"{part}:\n  bundled: {entry}\n")


def test_a_copy_of_the_projects_own_manifest_is_read(tmp_path):
    text = (PROJECT / "model_weights" / "manifest.yaml").read_text(encoding="utf-8")
    assert manifest(tmp_path / "copy", text).sets["bundled"].rules


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("ensembles: {two: {members: [nonsense]}}", "no set is called 'nonsense'"),
        ("ensembles: {two: {members: []}}", "needs a name and members"),
        ("ensembles: {7: {members: [deeper]}}", "needs a name and members"),
        (f"sets: {{7: {SET % FILES}}}", "name of a set is text"),
    ],
)
def test_a_manifest_with_odd_names_is_refused_in_one_line(tmp_path, text, complaint):
    with pytest.raises(InputError, match=complaint) as caught:
        manifest(tmp_path, text)
    assert "\n" not in str(caught.value)


# Downloads


class Endless(http.server.BaseHTTPRequestHandler):
    """An answer that goes on, whatever its length is said to be."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "abc" if self.path == "/abc" else str(1 << 40))
        self.end_headers()
        try:
            for _ in range(4 if self.path == "/abc" else 1 << 20):
                self.wfile.write(bytes(1 << 16))
        except OSError:
            pass

    def log_message(self, *_):
        pass


@pytest.fixture
def endless(monkeypatch):
    monkeypatch.delenv("LRNET_OFFLINE")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endless)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("size", [1000, None])
def test_an_answer_without_end_is_cut_off(endless, tmp_path, monkeypatch, size):
    monkeypatch.setattr(downloads, "MAX_DOWNLOAD_BYTES", 1 << 20)
    file = ModelFile("a", "0" * 64, f"{endless}/a", size)
    with pytest.raises(InputError, match=r"more than the \d+ bytes"):
        fetch_file(file, tmp_path / "a")
    assert not list(tmp_path.iterdir())


def test_a_byte_now_and_then_is_given_up(endless, tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "PATIENT_SECONDS", 0)
    monkeypatch.setattr(downloads, "SLOWEST_DOWNLOAD", 1e12)
    with pytest.raises(InputError, match=r"\d+ bytes in \d+ s"):
        fetch_file(ModelFile("a", "0" * 64, f"{endless}/a"), tmp_path / "a")


def test_a_length_that_is_no_number_ends_in_one_line(endless, tmp_path):
    with pytest.raises(InputError, match=r"wrong checksum|download failed"):
        fetch_file(ModelFile("a", "0" * 64, f"{endless}/abc"), tmp_path / "a")


@pytest.mark.parametrize(
    ("url", "checksum", "complaint"),
    [
        ("http://example.invalid/a", "0" * 40, "no https address"),
        ("https://example.invalid/a", "", "no checksum is known"),
    ],
)
def test_what_could_be_another_file_is_not_downloaded(
    tmp_path, monkeypatch, url, checksum, complaint
):
    monkeypatch.delenv("LRNET_OFFLINE")
    with pytest.raises(InputError, match=complaint):
        fetch_file(ModelFile("a", checksum, url), tmp_path / "a")


# Memory


def test_a_tensor_of_stride_zero_takes_no_memory(tmp_path):
    import torch

    from utils.network.two_stream import build_stream

    huge = torch.zeros(1).expand(192, 10_000_000)
    torch.save({"gru.weight_ih_l0": huge}, tmp_path / "a.pth")
    assert (tmp_path / "a.pth").stat().st_size < 10_000
    with pytest.raises(InputError, match="more than"):
        load_stream_weights(
            build_stream("gru-residual", units=4), "gru-residual", tmp_path / "a.pth"
        )


def test_many_compressed_arrays_together_have_a_limit(tmp_path):
    import h5py

    from utils.network.convolutional import load_convolutional_stream

    with h5py.File(tmp_path / "a.weights.h5", "w") as file:
        for number in range(20):
            file.create_dataset(
                f"a{number}", (1 << 20,), "f4", compression="gzip", chunks=(1 << 20,)
            )
    with pytest.raises(InputError, match="more than"):
        load_convolutional_stream(tmp_path / "a.weights.h5", 8, 1)


def test_a_table_with_gaps_takes_no_more_than_its_rows_and_a_few_thousand(tmp_path):
    columns = [f"{axis}_{point}" for point in range(68) for axis in "xy"]
    rows = [",".join([str(1 + 90 * n), "1", "1", *["5"] * 136]) for n in range(400)]
    head = ",".join(["frame", "confidence", "success", *columns])
    (tmp_path / "a.csv").write_text("\n".join([head, *rows]) + "\n")
    with pytest.raises(InputError, match=r"frame \d+ in a table of 400 rows"):
        read_precomputed(tmp_path / "a.csv")


def huge_webp(path: Path) -> None:
    from PIL import Image

    frames = [Image.new("RGB", (8192, 8192), colour) for colour in ("black", "white")]
    frames[0].save(path, "WEBP", save_all=True, append_images=frames[1:], lossless=True, method=0)


def huge_mp4(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", 25, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 8192, 4608, "yuv420p"
        picture = np.zeros((4608, 8192, 3), np.uint8)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode())


@pytest.mark.slow
@pytest.mark.parametrize("make", [huge_webp, huge_mp4])
def test_pictures_larger_than_8k_are_refused_before_they_are_decoded(tmp_path, make):
    path = tmp_path / ("a.webp" if make is huge_webp else "a.mp4")
    make(path)
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))\n"
        "from pathlib import Path; from utils.video.frames import Video;"
        "from utils.errors import InputError\n"
        "try:\n    Video(Path(sys.argv[1]))\nexcept InputError as error:\n    print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )
    assert "at most 36 million pixels" in done.stdout, done.stderr[-500:]


def test_larger_pictures_are_read_where_the_user_says_so(tmp_path, monkeypatch, capsys, face_video):
    small = "--max_megapixels", 0.06  # the video has 256 x 256
    monkeypatch.chdir(tmp_path)
    status, _, errors = run_classify(monkeypatch, capsys, face_video, *small)
    assert status == 1
    said = (
        "frames of 256 x 256; at most 0.06 million pixels are read (--max_megapixels allows more)"
    )
    assert f"{face_video}: {said}" in errors
    status, *_ = run_classify(monkeypatch, capsys, face_video, "--max_megapixels", 0.07)
    assert (tmp_path / "landmarks_new" / "face.txt").is_file()


# Time


def test_a_timeline_has_few_ticks_whatever_the_header_says(tmp_path):
    clips = [ClipScore(0, 60, 0.0, 0.5, 0.5, 0.5)]
    face = VideoResult("a.txt", tmp_path / "a.txt", frames=60, fps=25, clips=clips)
    timeline = Timeline(
        VideoResult(
            "a.txt",
            tmp_path / "a.txt",
            frames=60,
            fps=25,
            clips=clips,
            header=face.header.parse({"segments": "0-59@999999999"}),
        )
    )
    assert len(timeline.ticks) <= 11


def test_time_stamps_that_jump_for_years_are_refused(tmp_path, face_frames):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", 25)
        stream.height, stream.width, stream.pix_fmt = 256, 256, "bgr0"
        for number, picture in enumerate(face_frames[:4]):
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts = number if number < 3 else 10**12
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with Video(path) as video, pytest.raises(InputError, match="a time stamp of"):
        list(video.frames())


# Other files


@pytest.mark.parametrize(
    "text", ["ffconcat version 1.0\nfile b.avi\n", "#EXTM3U\n#EXTINF:1,\nb.avi\n", "\ufeff<?xml?>"]
)
def test_a_playlist_that_is_called_a_video_opens_no_other_file(tmp_path, face_frames, text):
    write_video(tmp_path / "b.avi", face_frames[:5])
    (tmp_path / "a.mp4").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="playlist that names other files"):
        Video(tmp_path / "a.mp4")


def test_a_file_with_a_percent_sign_in_its_name_is_itself(tmp_path, face_frames):
    write_video(tmp_path / "my%20dog.avi", face_frames[:5])
    with Video(tmp_path / "my%20dog.avi") as video:
        assert len(list(video.pictures())) == 5


def test_links_and_folders_are_counted_as_what_they_are(tmp_path):
    (tmp_path / "a.mp4").touch()
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "gone.mp4").symlink_to(tmp_path / "nowhere")
    lines = []
    files = list_files([tmp_path], lambda path: path.suffix == ".mp4", "none", notice=lines.append)
    assert files == [tmp_path / "a.mp4"]
    assert lines == [f"{tmp_path}: 1 links that lead nowhere skipped"]


def test_linked_folders_are_reported_in_a_recursive_search(tmp_path):
    (tmp_path / "in" / "below").mkdir(parents=True)
    (tmp_path / "in" / "below" / "a.mp4").touch()
    (tmp_path / "in" / "linked").symlink_to(tmp_path / "in" / "below")
    lines = []
    files = list_files(
        [tmp_path / "in"], lambda p: p.suffix == ".mp4", "", True, notice=lines.append
    )
    assert files == [tmp_path / "in" / "below" / "a.mp4"]
    assert len(lines) == 1 and "1 linked folders not searched" in lines[0]


def test_a_live_stream_gets_advice():
    with pytest.raises(InputError, match="record it to a file"):
        location("rtsp://camera/stream")


@pytest.mark.parametrize("matrix", [8, 10, 14], ids=["YCgCo", "BT.2020 constant", "ICtCp"])
def test_video_of_a_rare_colour_matrix_is_read(tmp_path, face_frames, matrix):
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("libx264", 25)
        stream.height, stream.width, stream.pix_fmt = 256, 256, "yuv420p"
        stream.codec_context.colorspace = matrix
        for picture in face_frames[:3]:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode())
    with Video(tmp_path / "a.mp4") as video:
        (first, *_) = video.pictures()
    assert abs(float(first.mean()) - float(face_frames[0].mean())) < 12


# Content credentials


def test_an_authority_of_the_attackers_own_making_is_called_untrusted():
    content = {
        "active_manifest": "m",
        "manifests": {"m": {"signature_info": {"issuer": "BBC\u202e\n" + "x" * 9999}}},
        "validation_state": "Valid",
        "validation_status": [{"code": "signingCredential.untrusted"}],
    }
    credentials = _summary(content)
    assert "no list of trusted ones" in credentials.state
    assert len(credentials.issuer) <= 200 and "\n" not in credentials.issuer
    assert "\u202e" not in credentials.issuer


# Outputs


@pytest.mark.parametrize("kind", ["input", "link to an input", "folder", "pipe", "device", "long"])
def test_an_output_that_cannot_be_is_refused_before_the_work(tmp_path, kind):
    video = tmp_path / "a.mp4"
    video.write_bytes(b"video")
    (tmp_path / "link").symlink_to(video)
    os.mkfifo(tmp_path / "pipe")
    paths = {"input": video, "link to an input": tmp_path / "link", "folder": tmp_path}
    paths |= {"pipe": tmp_path / "pipe", "device": Path("/dev/full")}
    paths |= {"long": tmp_path / ("x" * 300)}
    with pytest.raises(InputError):
        check_output_file("--json", paths[kind], [video])
    assert video.read_bytes() == b"video"


def test_landmarks_never_replace_the_file_that_was_given(tmp_path, wandering_landmarks):
    write_landmarks(tmp_path / "clip.txt", LandmarkTrack(wandering_landmarks, "normalized"))
    before = (tmp_path / "clip.txt").read_bytes()
    script = PROJECT / "extract_landmarks.py"
    command = [sys.executable, script, "-i", "clip.txt", "-o", ".", "--overwrite"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1 and "would replace it" in done.stderr
    assert (tmp_path / "clip.txt").read_bytes() == before


def test_an_earlier_jsonl_is_kept_until_there_is_a_result(tmp_path):
    (tmp_path / "a.jsonl").write_text("earlier\n")
    writer = JsonLinesWriter(tmp_path / "a.jsonl", "bundled", 0.5)
    writer.close(interrupted=True)
    assert (tmp_path / "a.jsonl").read_text() == "earlier\n"


def test_a_full_disk_is_one_line():
    writer = JsonLinesWriter(Path("/dev/full"), "bundled", 0.5)
    with pytest.raises(InputError, match="No space left"):
        writer.add(VideoResult("a.txt", Path("a.txt")))


def test_a_writer_whose_end_fails_leaves_no_other_open():
    closed = []

    class Failing:
        def close(self, interrupted):
            raise InputError("full")

    class Fine:
        def close(self, interrupted):
            closed.append(interrupted)

    with pytest.raises(InputError, match="full"):
        close_all([Failing(), Fine()], False)
    assert closed == [False]


def test_nothing_is_printed_to_stdout_where_stderr_is_closed(tmp_path):
    command = f"{sys.executable} {PROJECT}/classify.py -i nonsense.txt 2>&-"
    done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2 and done.stdout == ""


# Isolation


def crash(_: object) -> None:
    os.kill(os.getpid(), 9)


def crash_on_video(options: object, job: object) -> None:
    crash(job)


def hang(_: object) -> None:
    threading.Event().wait(60)


def test_a_decoder_that_crashes_loses_only_its_pictures():
    with pytest.raises(InputError, match="ended its process"):
        run_apart(crash, 1)


def test_a_single_video_that_crashes_its_decoder_is_an_error_of_one_line(
    tmp_path, monkeypatch, capsys, face_video
):
    monkeypatch.setattr("utils.run.extraction._work", crash_on_video)
    monkeypatch.chdir(tmp_path)
    status, lines, errors = run_classify(monkeypatch, capsys, face_video)
    assert status == 1 and not lines
    assert f"{face_video}: reading it killed its worker (SIGKILL, out of memory?)\n" in errors


def test_a_decoder_that_hangs_is_given_up(monkeypatch):
    monkeypatch.setattr(worker_processes, "REPORT_SECONDS", 2.0)
    with pytest.raises(InputError, match="no answer in 2 s"):
        run_apart(hang, 1)


# Other users


def test_names_of_partial_files_cannot_be_guessed(tmp_path):
    assert partial_path(tmp_path / "a.txt") != partial_path(tmp_path / "a.txt")


def test_a_partial_file_is_not_written_through_a_link(tmp_path, monkeypatch):
    (tmp_path / "theirs").write_text("theirs")
    (tmp_path / "trap").symlink_to(tmp_path / "theirs")
    monkeypatch.setattr("utils.atomic_write.partial_path", lambda path: tmp_path / "trap")
    with pytest.raises(InputError):
        AtomicFile(tmp_path / "a.txt")
    assert (tmp_path / "theirs").read_text() == "theirs"


def test_what_a_killed_process_fetched_goes_with_the_next(tmp_path, monkeypatch):
    monkeypatch.setattr(processes.tempfile, "tempdir", str(tmp_path))
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    mine, theirs = processes.machine(), "0" * 8
    stale = tmp_path / f"lrnet-fetched-{mine}-{ended.pid}-abc"
    others = [tmp_path / f"lrnet-fetched-{theirs}-{ended.pid}-abc", tmp_path / "lrnet-other"]
    for folder in (stale, *others):
        folder.mkdir()
        (folder / "clip.mp4").touch()
    with processes.temporary_folder() as folder:
        assert not stale.exists() and all(one.exists() for one in others)
        assert f"-{os.getpid()}-" in folder

"""Places at addresses: fsspec's memory, and an S3 server that is started here."""

import os
import subprocess
import sys

import pytest
from conftest import PROJECT

from benchmarks.faults import make_videos
from utils.errors import InputError
from utils.inputs import list_files, read_list
from utils.locations import is_remote, list_names, local_copy, location, upload

pytest.importorskip("upath", reason="universal-pathlib is missing: see requirements-ray.txt")
FLAGS = ("--fd", "blazeface", "--ld", "mediapipe")


@pytest.fixture
def bucket():
    place = location("memory://bucket/landmarks")
    place.mkdir(parents=True, exist_ok=True)
    yield place
    place.fs.store.clear()


def test_a_path_stays_a_path_and_file_is_one():
    assert not is_remote(location("videos/a.mp4"))
    assert location("file:///tmp/a.mp4") == location("/tmp/a.mp4")


def test_an_unknown_protocol_is_refused_in_a_line():
    with pytest.raises(InputError, match="nowhere://bucket: cannot be reached"):
        location("nowhere://bucket")


def test_a_fetched_copy_keeps_its_name_and_is_removed_after_use(bucket):
    (bucket / "face.txt").write_text("# format: aligned\n")
    with local_copy(bucket / "face.txt") as copy:
        assert copy.name == "face.txt" and copy.read_text() == "# format: aligned\n"
    assert not copy.exists()


def test_what_is_not_there_cannot_be_fetched(bucket):
    with (
        pytest.raises(InputError, match=r"gone\.txt: cannot be read"),
        local_copy(bucket / "gone.txt"),
    ):
        pass


def test_files_are_delivered_whole_and_nothing_else_is(bucket, tmp_path):
    (tmp_path / "face.txt").write_text("1 2 3")
    upload([tmp_path / "face.txt"], bucket)
    assert list_names(bucket) == {"face.txt"} and (bucket / "face.txt").read_text() == "1 2 3"


def test_a_delivery_that_fails_leaves_no_temporary_key(bucket, tmp_path, monkeypatch):
    (tmp_path / "face.txt").write_text("1 2 3")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("not yours")

    monkeypatch.setattr(bucket.fs, "mv", refuse)
    with pytest.raises(InputError, match=r"cannot be written \(not yours\)"):
        upload([tmp_path / "face.txt"], bucket)
    assert list_names(bucket) == set()


def test_a_folder_that_is_not_there_has_no_names(bucket):
    assert list_names(bucket / "none") == set()


def test_a_folder_at_an_address_lists_what_belongs(bucket):
    for name in ("b.mp4", "a.mp4", "notes.md"):
        (bucket / name).write_text("")
    said = []
    found = list_files([bucket], lambda path: path.suffix == ".mp4", "none", notice=said.append)
    assert [path.name for path in found] == ["a.mp4", "b.mp4"]
    assert said == ["memory://bucket/landmarks: 1 files of other kinds skipped"]


def test_a_list_may_name_addresses(tmp_path):
    (tmp_path / "list.txt").write_text("memory://bucket/a.mp4\nb.mp4\n")
    assert [is_remote(place) for place in read_list(tmp_path / "list.txt")] == [True, False]


@pytest.fixture(scope="module")
def s3():
    """The environment by which a process finds the server, and a client."""
    boto3 = pytest.importorskip("boto3", reason="moto's S3 server is missing: requirements-dev.txt")
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    endpoint = f"http://{host}:{port}"
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    client.create_bucket(Bucket="films")
    yield {**os.environ, **keys, "AWS_ENDPOINT_URL": endpoint}, client
    server.stop()


def script(environment: dict[str, str], name: str, *arguments: object) -> tuple[str, str]:
    command = [str(part) for part in (sys.executable, PROJECT / name, *arguments)]
    ran = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout, ran.stderr


@pytest.mark.slow
@pytest.mark.parametrize("engine", [(), ("--ray",)], ids=["here", "ray"])
def test_from_s3_to_s3_is_what_a_local_run_writes(s3, tmp_path, engine):
    environment, client = s3
    make_videos(tmp_path / "videos", 2)
    (tmp_path / "videos" / "broken.mp4").write_bytes(b"no video")
    run = engine[0].strip("-") if engine else "here"
    for path in (tmp_path / "videos").iterdir():
        client.upload_file(str(path), "films", f"{run}/videos/{path.name}")
    (tmp_path / "videos" / "broken.mp4").unlink()
    log = ("-l", tmp_path / "log.txt", *FLAGS)
    local = tmp_path / "local"
    script(environment, "extract_landmarks.py", "-i", tmp_path / "videos", "-o", local, *log)
    address = f"s3://films/{run}"
    where = ("-i", f"{address}/videos", "-o", f"{address}/out", *log)
    command = [sys.executable, PROJECT / "extract_landmarks.py", *where, *engine]
    ran = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert ran.returncode == 1 and f"{address}/videos/broken.mp4: " in ran.stderr, ran.stderr
    assert "2 extracted" in ran.stderr and "lrnet-fetched" not in ran.stderr
    listed = client.list_objects_v2(Bucket="films", Prefix=f"{run}/out/")["Contents"]
    found = {
        entry["Key"].rpartition("/")[2]: client.get_object(Bucket="films", Key=entry["Key"])["Body"]
        for entry in listed
    }
    assert {name: body.read() for name, body in found.items()} == {
        path.name: path.read_bytes() for path in local.iterdir()
    }
    client.delete_object(Bucket="films", Key=f"{run}/videos/broken.mp4")
    assert "2 skipped" in script(environment, "extract_landmarks.py", *where, *engine)[1]
    said = ("--csv", f"{address}/verdicts.csv", *engine)
    lines, _ = script(environment, "classify.py", "-i", f"{address}/out", *said)
    assert lines == script(environment, "classify.py", "-i", local)[0]
    table = client.get_object(Bucket="films", Key=f"{run}/verdicts.csv")["Body"].read().decode()
    assert table.count("\n") == 4 and f"{address}/out/video0.txt" in table


def test_drawn_videos_are_delivered_too_and_faces_that_are_gone_are_removed(
    bucket, face_video, tmp_path
):
    from utils.run.extraction import ExistingOutputs
    from utils.run.extraction_job import ExtractionOptions
    from utils.run.remote_extraction import RemoteExtractor

    (bucket / "face.avi").write_bytes(face_video.read_bytes())
    for stale in ("face.face2.txt", "face.face3.txt"):
        (bucket / stale).write_text("of an earlier run")
    drawn = location("memory://bucket/drawn")
    options = ExtractionOptions(
        bucket,
        visualize=True,
        visualize_path=drawn,
        faces=1,
        face_detector="dlib",
        landmark_detector="dlib",
    )
    report = RemoteExtractor(options).extract(bucket / "face.avi", bucket / "face.txt", False)
    assert report.error == "" and report.video == bucket / "face.avi"
    assert report.faces[0].file == bucket / "face.txt"
    assert list_names(bucket) == {"face.avi", "face.txt"}
    assert list_names(drawn) == {"face.avi_origin.avi", "face.avi_track.avi"}
    assert ExistingOutputs(bucket).holds(bucket / "face.txt")
    assert not ExistingOutputs(bucket).holds(bucket / "other.txt")

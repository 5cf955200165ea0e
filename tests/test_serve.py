"""The local page: what it takes, what it answers, and whom."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import jsonschema
import pytest
from conftest import PROJECT, wait_until

pytest.importorskip("starlette")
from starlette.testclient import TestClient

from benchmarks.serve_load import running_server
from utils.commands.classify import parse_arguments
from utils.console import EXIT_USAGE
from utils.errors import InputError
from utils.serve.app import ServeOptions, make_app
from utils.serve.jobs import DONE, FAILED, QUEUED, RECORD, JobStore
from utils.weights.sets import PROJECT_WEIGHTS

LANDMARKS = PROJECT / "landmarks" / "sample_fake.txt"
SECONDS = 60.0


def options(folder: Path, **more: object) -> ServeOptions:
    return ServeOptions("127.0.0.1", 0, folder, "auto", PROJECT_WEIGHTS, **more)


@pytest.fixture
def make_client(tmp_path):
    """Makes clients of servers on one folder, each of which ends with the test."""
    clients = []

    def make(token: str = "", folder: Path = tmp_path / "jobs", **more: object) -> TestClient:
        app = make_app(options(folder, **more), token)
        client = TestClient(app, "http://localhost", raise_server_exceptions=False)
        clients.append(client)
        return client.__enter__()

    yield make
    for client in clients:
        client.__exit__()


@pytest.fixture
def client(make_client):
    return make_client()


def send(client, content: bytes = LANDMARKS.read_bytes(), name: str = "sample_fake.txt") -> dict:
    answer = client.post("/api/jobs", params={"name": name}, content=content)
    assert answer.status_code == 201, answer.text
    return answer.json()


def state_of(client, job: dict) -> dict:
    return client.get(f"/api/jobs/{job['id']}").json()


def finished(client, job: dict) -> dict:
    def ended() -> dict | None:
        told = state_of(client, job)
        return told if told["state"] in (DONE, FAILED) else None

    return wait_until(ended, SECONDS)


def files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_landmark_file_gets_its_verdict_and_the_document_that_json_writes(client):
    told = finished(client, send(client))
    assert (told["state"], told["label"], told["error"]) == (DONE, "Fake", None)
    schema = json.loads((PROJECT / "docs" / "results.schema.json").read_text())
    jsonschema.validate(told["result"], schema)
    assert told["result"]["videos"][0]["path"] == "upload/sample_fake.txt"


def test_the_report_is_a_page_that_allows_its_own_script(client):
    told = finished(client, send(client))
    page = client.get(told["report"])
    assert page.status_code == 200 and "Fake" in page.text
    assert page.headers["content-security-policy"] == "frame-ancestors 'none'"


def test_a_video_sent_in_a_form_is_deleted_after_its_verdict(client, face_video, tmp_path):
    with face_video.open("rb") as video:
        answer = client.post("/api/jobs", files={"file": ("my clip.avi", video)})
    told = finished(client, answer.json())
    assert (told["name"], told["state"]) == ("my clip.avi", DONE)
    assert told["result"]["videos"][0]["path"] == "landmarks/my_clip.txt"
    assert not any("upload" in name for name in files_below(tmp_path / "jobs"))


def test_a_file_that_is_no_video_gets_one_line(client):
    told = finished(client, send(client, b"no video", "clip.mp4"))
    assert told["state"] == FAILED
    assert told["error"].startswith("clip.mp4: ") and "\n" not in told["error"]


@pytest.mark.parametrize(
    "name",
    [
        *("../../etc/passwd", "/etc/passwd", "a\\b.mp4", "@list.txt", "%05d.png", "-o.txt", ""),
        *("a" * 300 + ".mp4", "\u00e9" * 200, "a\nb.txt", ".hidden", "ffconcat version 1.0.mp4"),
    ],
)
def test_a_name_leads_nowhere_but_into_the_jobs_own_folder(client, tmp_path, name):
    outside = files_below(tmp_path)
    told = finished(client, send(client, name=name))
    made = files_below(tmp_path) - outside
    assert told["state"] in (DONE, FAILED)
    assert made and all(one.startswith(f"jobs/{told['id']}/") or one == "jobs/lock" for one in made)


def test_an_empty_file_is_refused_and_leaves_nothing(client, tmp_path):
    answer = client.post("/api/jobs?name=a.mp4", content=b"")
    assert (answer.status_code, answer.json()) == (400, {"error": "a.mp4: the file is empty"})
    assert files_below(tmp_path / "jobs") == {"lock"}


def test_a_form_without_a_file_is_refused(client):
    answer = client.post("/api/jobs", files={}, data={"a": "b"}, headers=None)
    assert answer.status_code in (201, 400)  # urlencoded bytes are a file of that content
    boundary = {"content-type": "multipart/form-data; boundary=x"}
    answer = client.post("/api/jobs", content=b"--x--\r\n", headers=boundary)
    assert answer.status_code == 400 and "no file" in answer.json()["error"]


@pytest.mark.parametrize("way", ["announced", "in pieces", "form"])
def test_a_file_over_the_limit_is_refused_and_leaves_nothing(make_client, tmp_path, way):
    client = make_client(max_upload=1000)
    if way == "form":
        answer = client.post("/api/jobs", files={"file": ("a.mp4", bytes(3 << 20))})
    else:
        content = bytes(3 << 20) if way == "announced" else iter([bytes(600), bytes(600)])
        answer = client.post("/api/jobs?name=a.mp4", content=content)
    assert answer.status_code == 413 and "--max_upload" in answer.json()["error"]
    assert files_below(tmp_path / "jobs") == {"lock"}


def test_a_file_at_the_limit_is_taken(make_client):
    content = LANDMARKS.read_bytes()
    client = make_client(max_upload=len(content))
    assert finished(client, send(client, content))["state"] == DONE


def test_a_job_that_is_deleted_is_gone_with_its_files(client, tmp_path):
    job = finished(client, send(client))
    assert client.delete(f"/api/jobs/{job['id']}").status_code == 204
    assert client.get(f"/api/jobs/{job['id']}").status_code == 404
    assert client.delete(f"/api/jobs/{job['id']}").status_code == 404
    assert files_below(tmp_path / "jobs") == {"lock"}


def test_deleting_a_running_job_lets_the_next_one_start(client):
    video = (PROJECT / "input" / "sample_real.mp4").read_bytes()
    first, second = send(client, video, "long.mp4"), send(client)
    wait_until(lambda: state_of(client, first)["state"] != QUEUED)
    client.delete(f"/api/jobs/{first['id']}")
    assert finished(client, second)["state"] == DONE


def test_a_worker_that_dies_loses_only_its_own_job(client):
    import psutil

    video = (PROJECT / "input" / "sample_real.mp4").read_bytes()
    first, second = send(client, video, "long.mp4"), send(client)
    wait_until(lambda: state_of(client, first)["progress"])
    for child in psutil.Process().children(recursive=True):
        if "spawn_main" in " ".join(child.cmdline()):
            child.kill()
    assert "ended its process" in finished(client, first)["error"]
    assert finished(client, second)["state"] == DONE


def test_a_waiting_job_shows_its_place_in_the_queue(client):
    video = (PROJECT / "input" / "sample_real.mp4").read_bytes()
    jobs = [send(client, video, "long.mp4"), send(client), send(client)]
    told = [client.get(f"/api/jobs/{job['id']}").json() for job in jobs]
    assert told[2]["jobs_before"] == told[1]["jobs_before"] + 1


def test_a_restart_loses_no_finished_result_and_does_what_waited(make_client, tmp_path):
    folder = tmp_path / "jobs"
    first = make_client()
    done = finished(first, send(first))
    first.__exit__()
    waiting = folder / ("0" * 24)
    (waiting / "upload").mkdir(parents=True)
    shutil.copy(LANDMARKS, waiting / "upload")
    record = json.loads((folder / done["id"] / RECORD).read_text())
    record |= {"id": waiting.name, "state": "running", "file": LANDMARKS.name, "label": None}
    (waiting / RECORD).write_text(json.dumps(record))
    cut_off = folder / ("1" * 24) / "upload"
    cut_off.mkdir(parents=True)
    second = make_client()
    assert second.get(f"/api/jobs/{done['id']}").json() == done
    assert finished(second, {"id": waiting.name})["label"] == "Fake"
    assert not cut_off.exists()


def test_two_servers_do_not_share_a_folder(make_client, tmp_path):
    make_client()
    with pytest.raises(InputError, match="another server uses it"):
        JobStore(tmp_path / "jobs")


def test_finished_jobs_go_after_their_time(tmp_path):
    store = JobStore(tmp_path)
    old, new = store.new("a", "a"), store.new("b", "b")
    for job, ago in ((old, 100), (new, 1)):
        job.state, job.finished = DONE, time.time() - ago
    store.remove_older(50)
    assert list(store) == [new] and not old.folder.exists()


@pytest.mark.parametrize(
    "name", ["../job.json", "..%2fjob.json", "%2e%2e/job.json", ".x", "no.html"]
)
def test_no_file_but_a_page_of_the_report_is_served(client, name):
    job = finished(client, send(client))
    answer = client.get(f"/reports/{job['id']}/{name}")
    assert answer.status_code == 404 and "no such" in answer.json()["error"]


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:9"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"host": "evil.example"},
        {"host": ""},
        {"host": "localhost.evil.example"},
    ],
)
def test_what_another_site_asks_for_is_refused(client, headers):
    answer = client.post("/api/jobs?name=a.txt", content=b"1", headers=headers)
    assert answer.status_code == 403
    assert client.get("/api/jobs").json() == {"jobs": []}


def test_a_name_of_another_site_for_this_machine_reads_nothing(client):
    assert client.get("/api/jobs", headers={"host": "evil.example"}).status_code == 403


def test_its_own_page_and_programs_are_answered(client):
    own = {"origin": "http://localhost", "sec-fetch-site": "same-origin"}
    for headers in (own, {}):
        answer = client.post("/api/jobs?name=a.txt", content=b"1", headers=headers)
        assert answer.status_code == 201


def test_a_server_with_a_token_answers_to_those_who_have_it(make_client):
    client = make_client("secret")
    assert client.get("/").status_code == client.get("/api/jobs").status_code == 401
    for wrong in ({"authorization": "Bearer other"}, {"authorization": "Basic secret"}):
        assert client.get("/api/jobs", headers=wrong).status_code == 401
    assert client.get("/api/jobs", headers={"authorization": "Bearer secret"}).status_code == 200


def test_the_address_with_the_token_opens_the_page_by_a_cookie(make_client):
    client = make_client("secret")
    assert client.get("/?token=other").status_code == 401
    answer = client.get("/?token=secret", follow_redirects=False)
    assert answer.status_code == 303 and answer.headers["location"] == "/"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
    assert client.get("/").status_code == 200  # the client keeps cookies


def test_every_answer_says_how_little_a_browser_may_do_with_it(client):
    headers = client.get("/").headers
    assert headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]


def test_the_page_names_no_outside_address(client):
    for page in ("/", "/static/serve.js", "/static/serve.css"):
        assert not re.search(r"https?://|//\w", client.get(page).text.replace("// ", ""))


def test_an_unknown_address_is_answered_in_json(client):
    assert client.get("/nothing").json() == {"error": "no such page"}
    assert client.put("/api/jobs").status_code == 405


def test_lrnet_serve_is_the_flag(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert parse_arguments(["serve"]).serve == "127.0.0.1:8000"
    assert parse_arguments(["serve", "localhost:9000"]).serve == "localhost:9000"
    (tmp_path / "serve").mkdir()
    assert parse_arguments(["serve"]).inputs == [Path("serve")]


def classify(*arguments: object, **more: object) -> subprocess.Popen:
    command = [sys.executable, str(PROJECT / "classify.py"), *map(str, arguments)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **more)


@pytest.mark.parametrize("address", ["here", "127.0.0.1:99999", "127.0.0.1:", "192.0.2.1:80"])
def test_an_address_that_cannot_be_is_one_line(address, tmp_path):
    with classify("--serve", address, "--serve_path", tmp_path) as process:
        told = process.communicate(timeout=30)[1]
    assert process.returncode == EXIT_USAGE and len(told.splitlines()) == 1 and address in told


@pytest.fixture
def server(tmp_path):
    """A server as a user starts it, and its address."""
    with running_server(tmp_path / "jobs") as running:
        yield running


def test_events_report_a_job_from_its_upload_to_its_verdict(server):
    _, address = server
    with urllib.request.urlopen(f"{address}api/events", timeout=SECONDS) as events:
        data = LANDMARKS.read_bytes()
        request = urllib.request.Request(f"{address}api/jobs?name=a.txt", data, method="POST")
        urllib.request.urlopen(request, timeout=SECONDS).close()
        states = []
        for line in events:
            if line.startswith(b"data: "):
                states += [job["state"] for job in json.loads(line[6:])["jobs"]]
            if {DONE, FAILED} & set(states):
                break
    assert states[-1] == DONE and set(states) <= {QUEUED, "running", DONE}


def test_ctrl_c_ends_the_server_and_its_workers(server, tmp_path):
    import psutil

    process, address = server
    video = (PROJECT / "input" / "sample_real.mp4").read_bytes()
    request = urllib.request.Request(f"{address}api/jobs?name=a.mp4", video, method="POST")
    urllib.request.urlopen(request, timeout=SECONDS).close()
    workers = wait_until(lambda: psutil.Process(process.pid).children(recursive=True))
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(timeout=20) == 130
    alive = psutil.wait_procs(workers, timeout=10)[1]
    assert not [one for one in alive if one.status() != psutil.STATUS_ZOMBIE]
    assert "Traceback" not in process.stderr.read()
    (record,) = (tmp_path / "jobs").glob("*/job.json")  # done by the next start
    assert json.loads(record.read_text())["state"] in (QUEUED, "running")

"""Processes that do videos: one that dies costs no other's work."""

import os
import signal
import subprocess
import sys
import time

import pytest
from conftest import PROJECT

from utils import console
from utils.run.executor import WorkerDied
from utils.scaling.worker_processes import WorkerProcesses, exit_reason


def square_or_die(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGSEGV)
    if number == 5:
        raise ValueError("five")
    return number**2


@pytest.mark.parametrize("workers", [1, 3])
def test_a_job_that_kills_its_worker_does_not_affect_others(workers):
    done = dict(WorkerProcesses(workers).run(square_or_die, [1, 2, 3, 4, 6]))
    assert done.pop(3) == WorkerDied("SIGSEGV")
    assert done == {1: 1, 2: 4, 4: 16, 6: 36}


def worker_speaks(_: object) -> bool:
    return console.speaks()


@pytest.mark.parametrize("speaking", [True, False])
def test_a_worker_prints_only_where_its_parent_does(speaking):
    before = console._speaks.set(speaking)
    try:
        assert dict(WorkerProcesses(1).run(worker_speaks, [0])) == {0: speaking}
    finally:
        console._speaks.reset(before)


def test_what_a_job_raises_is_raised_here():
    with pytest.raises(ValueError, match="five"):
        list(WorkerProcesses(1).run(square_or_die, [5]))


def test_leaving_early_ends_the_workers():
    done = WorkerProcesses(2).run(time.sleep, [0, 60, 60])
    next(done)
    began = time.monotonic()
    done.close()
    assert time.monotonic() - began < 10


def test_how_a_worker_died_is_described():
    assert exit_reason(-9) == "SIGKILL, out of memory?" and exit_reason(3) == "exit status 3"
    assert exit_reason(-11) == "SIGSEGV"


def wait_a_minute(_: object) -> None:
    time.sleep(60)


def test_a_worker_leaves_when_the_process_that_started_it_is_killed():
    """Both hold the pipe, which ends with the last of them."""
    code = (
        "import sys, time; sys.path.insert(0, 'tests')\n"
        "from test_workers import wait_a_minute\n"
        "from utils.scaling.worker_processes import WorkerProcess\n"
        "worker = WorkerProcess(wait_a_minute, None); worker.submit(1)\n"
        "print('begun', flush=True); time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=PROJECT, stdout=subprocess.PIPE)
    assert parent.stdout is not None and parent.stdout.readline() == b"begun\n"
    parent.kill()
    parent.communicate(timeout=30)


@pytest.mark.slow
def test_neither_script_opens_a_socket(tmp_path):
    """Sockets are forbidden, to worker processes too; models are on disk."""
    (tmp_path / "sitecustomize.py").write_text(
        "import socket\n"
        "def refuse(*_, **__): raise AssertionError('a socket was opened')\n"
        "socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    for script, *flags in (
        ("extract_landmarks.py", "-i", PROJECT / "input" / "sample_fake.mp4", "--ld", "mediapipe"),
        ("classify.py", "-i", "landmarks_new", "--report", "r"),
    ):
        command = [sys.executable, PROJECT / script, *flags]
        ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment)
        assert ran.returncode == 0, ran.stderr
        assert "a socket was opened" not in ran.stderr
    assert "Fake" in ran.stdout

"""Ray as the engine, on this machine: the same files as a local run's, whoever dies."""

import os
import subprocess
import sys
from contextlib import contextmanager

import pytest
from conftest import PROJECT, wait_until

from benchmarks.faults import make_videos
from utils.errors import InputError
from utils.run.executor import WorkerDied
from utils.scaling.actor_pool import DEATHS
from utils.scaling.cluster import Cluster, ClusterOptions

ray = pytest.importorskip("ray", reason="Ray is missing: pip install -r requirements-ray.txt")
FLAGS = ("--fd", "blazeface", "--ld", "mediapipe")


def square_or_die(number: int) -> int:
    if number == 3:
        os.abort()
    if number == 5:
        raise InputError("five")
    return number**2


def die_once(folder, number: int) -> int:
    begun = folder / str(number)
    first = not begun.exists()
    with begun.open("a") as file:
        file.write("begun\n")
    if number % 4 == 0 and first:
        os.abort()
    return number


@pytest.fixture(scope="module")
def cluster():
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    with Cluster(ClusterOptions(workers=2)) as connected:
        yield connected


def script(name: str, *arguments: object) -> subprocess.Popen:
    command = [sys.executable, PROJECT / name, *arguments]
    return subprocess.Popen(
        [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def contents(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_a_job_that_kills_its_worker_twice_is_set_aside(cluster):
    done = dict(cluster.run(square_or_die, [1, 2, 3, 4]))
    assert done == {1: 1, 2: 4, 3: WorkerDied(f"{DEATHS} workers and 0 nodes died of it"), 4: 16}


def test_what_a_job_raises_is_raised_here(cluster):
    with pytest.raises(InputError, match="five"):
        list(cluster.run(square_or_die, [5]))


def test_a_job_whose_worker_dies_is_retried_and_no_other_is(cluster, tmp_path):
    from functools import partial

    done = list(cluster.run(partial(die_once, tmp_path), range(9)))
    assert sorted(done) == [(number, number) for number in range(9)]
    begun = {int(path.name): len(path.read_text().split()) for path in tmp_path.iterdir()}
    assert begun == {number: 2 if number % 4 == 0 else 1 for number in range(9)}


@pytest.mark.slow
def test_workers_that_die_at_start_end_the_run_with_one_line(cluster):
    with pytest.raises(InputError, match="workers die as they start"):
        list(cluster.run(square_or_die, [1], os.abort))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--ray", "--ray_gpus", "64"), "no node has room for a worker of 1 CPUs and 64 GPUs"),
        (("--ray", "nowhere"), "--ray nowhere"),
    ],
)
def test_an_unreachable_cluster_gets_one_line(tmp_path, flags, told):
    make_videos(tmp_path / "videos", 1, frames=12)
    ran = script("extract_landmarks.py", "-i", tmp_path / "videos", *FLAGS, *flags)
    errors = ran.communicate()[1].splitlines()
    assert ran.returncode == 2 and len(errors) == 1 and told in errors[0]


@contextmanager
def two_nodes():
    from ray.cluster_utils import Cluster as Nodes

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    nodes = Nodes(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        yield nodes, nodes.add_node(num_cpus=1)
    finally:
        nodes.shutdown()


@pytest.mark.slow
def test_a_node_that_is_killed_costs_nothing_and_changes_nothing(tmp_path):
    videos = tmp_path / "videos"
    make_videos(videos, 6, frames=60)
    local = script(
        *("extract_landmarks.py", "-i", videos, "-o", tmp_path / "local", *FLAGS),
        *("-l", tmp_path / "local.txt"),
    )
    errors = local.communicate(timeout=240)[1]
    assert local.returncode == 0, errors
    with two_nodes() as (nodes, second):
        out = tmp_path / "out"
        where = ["-i", videos, "-o", out, "-l", tmp_path / "log.txt", "--ray", nodes.address]
        run = script("extract_landmarks.py", *where, *FLAGS)
        wait_until(lambda: run.poll() is not None or len(list(out.glob("*"))) > 1, 120)
        assert run.poll() is None, "the run was over before the node could be killed"
        nodes.remove_node(second, allow_graceful=False)
        printed, errors = run.communicate(timeout=240)
        assert run.returncode == 0 and printed == "", errors
        classified = script("classify.py", "-i", out, "--ray", nodes.address)
        lines, errors = classified.communicate(timeout=240)
    assert contents(out) == contents(tmp_path / "local")
    assert len((tmp_path / "log.txt").read_text().splitlines()) == 7
    alone = script("classify.py", "-i", out)
    assert lines == alone.communicate()[0] and lines.count("\n") >= 7, errors

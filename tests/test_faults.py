"""A run that is cut short; `python -m benchmarks.faults` does all of it many times."""

import signal

import pytest

from benchmarks.faults import Faults, may_mount
from utils.atomic_write import partial_path, remove_stale_partials


@pytest.fixture(scope="module")
def faults(tmp_path_factory) -> Faults:
    return Faults(tmp_path_factory.mktemp("faults"), videos=2)


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=lambda how: how.name)
def test_an_interrupted_run_is_completed_by_the_next(faults, how, workers):
    hit, wrong = faults.ended(how, 128 + how, "--workers", workers)
    assert hit and wrong == []


@pytest.mark.slow
def test_a_classification_that_is_killed_is_completed_by_the_next(faults):
    _, wrong = faults.classification_killed()
    assert wrong == []


@pytest.mark.slow
def test_a_full_disk_gets_a_line_and_a_rerun_completes_the_work(faults):
    hit, wrong = faults.disk_full()
    assert hit and wrong == []


@pytest.mark.slow
def test_a_read_only_folder_gets_a_line(faults):
    if not may_mount():
        pytest.skip("no file system can be mounted here (needs root)")
    hit, wrong = faults.read_only()
    assert hit and wrong == []


@pytest.mark.slow
def test_two_runs_at_once_write_what_one_writes(faults):
    assert faults.side_by_side(2) == (True, [])


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_writes_is_not(tmp_path):
    own = partial_path(tmp_path / "face.txt")
    own.touch()
    dead = own.with_name(own.name.replace(f"-{own.name.split('-')[3].split('.')[0]}.", "-4194305."))
    dead.touch()
    elsewhere = own.with_name(own.name.replace(own.name.split("-")[2], "00000000"))
    elsewhere.touch()
    remove_stale_partials(tmp_path)
    assert set(tmp_path.iterdir()) == {own, elsewhere}


def test_a_name_as_long_as_names_may_be_is_written_whole(tmp_path):
    path = tmp_path / ("n" * 251 + ".txt")
    partial = partial_path(path)
    partial.touch()
    partial.replace(path)
    assert path.exists()

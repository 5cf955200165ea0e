"""`detect`: quiet, tidy, typed."""

import io
import logging
import subprocess
import sys
import warnings

import pytest
from conftest import PROJECT

import utils
from utils import api, console
from utils.api import detect

SAMPLE = PROJECT / "input" / "sample_fake.mp4"


@pytest.fixture
def as_a_program(monkeypatch, tmp_path):
    """Not a script: nothing speaks; the cache and the working directory are the test's."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    console._speaks.set(False)
    api._warn_once.cache_clear()
    return tmp_path


def test_nothing_is_printed_and_nothing_left_in_the_working_directory(as_a_program, capfd):
    asked = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = detect(SAMPLE, progress=lambda done, total: asked.append((done, total)))
        detect(SAMPLE)
    assert found.videos[0].label == "Fake" and asked == [(1, 1)]
    assert capfd.readouterr() == ("", "")
    assert len([one for one in caught if "mediapipe in place of fan" in str(one.message)]) == 1
    assert not list((as_a_program / "here").iterdir())
    assert (as_a_program / "cache" / "lrnet" / "landmarks" / "sample_fake.txt").is_file()


def test_a_script_that_calls_it_is_not_run_again_by_its_processes(as_a_program):
    script = as_a_program / "script.py"
    script.write_text(
        f"import sys; sys.path.insert(0, {str(PROJECT)!r})\n"
        f"from utils import detect\nprint(detect({str(SAMPLE)!r}).videos[0].label)\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True)
    assert done.stdout == "Fake\n", done.stderr


def test_a_binary_file_is_read_and_leaves_nothing(as_a_program):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = detect(io.BytesIO(SAMPLE.read_bytes()))
    assert found.videos[0].label == "Fake"
    assert not (as_a_program / "cache").exists()


def test_a_user_without_a_home_is_served_without_a_cache(as_a_program, monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(api, "user_cache", lambda: None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert detect(SAMPLE).videos[0].label == "Fake"
    assert not list((as_a_program / "here").iterdir())


def test_what_is_neither_is_a_type_error():
    with pytest.raises(TypeError, match="neither a path nor a binary file"):
        detect([7])


def test_notices_go_to_the_logger(as_a_program, caplog):
    with caplog.at_level(logging.INFO, logger="lrnet"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        detect(PROJECT / "landmarks")
        console.notice("something")
    assert "something" in caplog.text


def test_the_example_of_the_documentation_runs():
    text = (PROJECT / "docs" / "classify.md").read_text(encoding="utf-8")
    block = text.split("## In Python")[1].split("##")[0]
    code = "\n".join(line[4:] for line in block.splitlines() if line.startswith("    "))
    code = code.replace('"clip.mp4"', '"landmarks/sample_fake.txt"')
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert "Fake" in done.stdout


def test_the_version_is_exposed():
    assert utils.__version__.count(".") == 2

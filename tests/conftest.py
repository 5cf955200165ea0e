"""What tests share: where the reference material is, and small videos of a real face."""

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import settings

os.environ["LRNET_OFFLINE"] = "1"  # no test reaches for the network but those with a local server
os.environ["LRNET_PROGRESS"] = "0"  # stderr is compared line by line

from utils.console import speak

settings.register_profile("untimed", deadline=None)  # speed is judged in benchmarks/
settings.load_profile("untimed")

PROJECT = Path(__file__).resolve().parent.parent
BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
REFERENCE = PROJECT.parent / "shared" / "reference"
TRAINING = PROJECT.parent / "shared" / "training"


def reference(*parts: str) -> Path:
    """A path below ../shared/reference; skips the test where it is absent."""
    path = REFERENCE.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"reference material is missing: {path}")
    return path


@pytest.fixture(autouse=True)
def speaking_as_a_script_does() -> None:
    """Notices are printed, so that tests can read them."""
    speak()


@pytest.fixture(scope="session", autouse=True)
def hearing_ctrl_c() -> None:
    """A shell's background jobs ignore SIGINT, and so does what they start; what a test starts
    hears it. (`preexec_fn` would do, but a process with threads may hang where it forks.)"""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def wait_until(condition: Callable[[], Any], seconds: float = 60) -> Any:
    """What a condition gives once it is true.

    Raises:
        AssertionError: it is not within some seconds.
    """
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"not within {seconds:g} seconds"
        time.sleep(0.01)
    return value


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(1)


@pytest.fixture(scope="session")
def face_frames() -> list[np.ndarray]:
    """The first 40 frames of our sample video, half size: (256, 256, 3) uint8 BGR."""
    capture = cv2.VideoCapture(str(PROJECT / "input" / "sample_real.mp4"))
    frames = [cv2.resize(capture.read()[1], (256, 256)) for _ in range(40)]
    capture.release()
    return frames


def write_video(path: Path, frames: list[np.ndarray], fps: float = 25) -> Path:
    """Writes frames as a Motion JPEG .avi."""
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, (width, height))
    assert writer.isOpened()
    for frame in frames:
        writer.write(frame)
    writer.release()
    return path


@pytest.fixture(scope="session")
def face_video(tmp_path_factory, face_frames) -> Path:
    return write_video(tmp_path_factory.mktemp("face") / "face.avi", face_frames)


@pytest.fixture(scope="session")
def empty_video(tmp_path_factory, face_frames) -> Path:
    """Twelve frames of noise: a video without a face."""
    noise = np.random.default_rng(2).integers(0, 255, (12, 120, 160, 3), np.uint8)
    return write_video(tmp_path_factory.mktemp("empty") / "empty.avi", list(noise))


@pytest.fixture(scope="session")
def random_fan_weights(tmp_path_factory) -> Path:
    """FAN's weights are not to be had here: random ones of the right shape, peaks lifted to 1."""
    import torch
    from face_alignment.models import FAN

    torch.manual_seed(3)
    network = FAN(4)
    with torch.no_grad():
        network.l3.bias += 1
    path = tmp_path_factory.mktemp("fan") / "random_fan.pth.tar"
    torch.save(network.state_dict(), path)
    return path


@pytest.fixture
def wandering_landmarks(random) -> np.ndarray:
    """Normalized landmarks (90, 68, 2) of a face that moves a little, on the grid of 1/200."""
    angle = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    face = 0.6 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    face[36:42] = (-0.25, -0.2) + 0.05 * face[36:42]
    face[42:48] = (0.25, -0.2) + 0.05 * face[42:48]
    moves = 0.01 * random.standard_normal((90, 1, 2)).cumsum(axis=0)
    return np.rint((face + moves) * 200) / 200


def run_classify(monkeypatch, capsys, *arguments: object) -> tuple[int, list[str], str]:
    """Exit status, stdout's lines and stderr of classify.py, run here."""
    import classify
    from utils.console import run_script

    monkeypatch.setattr(sys, "argv", ["classify.py", *map(str, arguments)])
    status = run_script(classify.NAME, classify.main)
    printed = capsys.readouterr()
    return status, printed.out.splitlines(), printed.err


@pytest.fixture(scope="session")
def browser():
    """Headless Chromium, where there is one."""
    if not BROWSER or not DRIVER:
        pytest.skip("no chromium and chromedriver (Debian: apt-get install chromium-driver)")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    driver.set_page_load_timeout(60)
    driver.set_script_timeout(60)
    yield driver
    driver.quit()


def css(browser, selector: str) -> list:
    return browser.find_elements("css selector", selector)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Of the local page, started as a user starts it."""
    pytest.importorskip("starlette")
    from benchmarks.serve_load import running_server

    with running_server(tmp_path_factory.mktemp("jobs")) as (_, address):
        yield address


def axe_script() -> str:
    """axe-core, which looks for what a page keeps from screen readers."""
    from importlib.resources import files

    return (files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8")


def axe_violations(browser) -> list[str]:
    """What axe-core finds on the page that is shown: rules, and how many elements break each."""
    browser.execute_cdp_cmd("Page.setBypassCSP", {"enabled": True})
    browser.refresh()
    browser.execute_script(axe_script())
    found = browser.execute_async_script("axe.run().then(arguments[0])")
    browser.execute_cdp_cmd("Page.setBypassCSP", {"enabled": False})
    return [f"{one['id']}: {len(one['nodes'])}" for one in found["violations"]]

"""The pages in headless Firefox, where there is one: what Chromium's tests do at length, once."""

import shutil

import pytest
from conftest import PROJECT, axe_script
from firefox import Firefox

PROGRAM = shutil.which("firefox-esr") or shutil.which("firefox")
VIDEO = PROJECT / "input" / "sample_fake.mp4"
TIME = "document.querySelector('video').currentTime"


@pytest.fixture(scope="module")
def firefox(tmp_path_factory):
    if PROGRAM is None:
        pytest.skip("no Firefox (Debian: apt-get install firefox-esr libavcodec59)")
    pytest.importorskip("websocket")
    browser = Firefox(PROGRAM, tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def report(firefox, address) -> str:
    """The address of the report of a video that was sent by the page."""
    firefox.open(address)
    firefox.choose_files("#files", [VIDEO])
    firefox.wait_for("document.querySelector('#status').textContent === '1 of 1 done'", 120)
    assert firefox.run("document.querySelector('#jobs .label').textContent") == "Fake"
    return firefox.run("document.querySelector('#jobs a').href")


def axe_violations(firefox) -> list[str]:
    firefox.ask(
        "script.evaluate",
        expression=axe_script(),
        target={"context": firefox._context},
        awaitPromise=False,
    )
    return firefox.run("axe.run().then((found) => found.violations.map((one) => one.id))")


def test_a_video_is_sent_and_its_report_opened(firefox, report):
    firefox.open(report)
    assert firefox.run("document.querySelector('h1').textContent") == "sample_fake.mp4: Fake"


def test_axe_finds_nothing_on_either_page(firefox, report, address):
    for page in (address, report):
        firefox.open(page)
        assert axe_violations(firefox) == []


def test_nothing_is_said_on_the_console_and_nothing_leaves_the_page(firefox, report, address):
    firefox.console.clear(), firefox.asked.clear()
    firefox.open(report)
    firefox.run("1")
    assert firefox.console == []
    assert all(url.startswith((address, "data:")) for url in firefox.asked)


def plays_h264(firefox) -> bool:
    return firefox.run(
        "document.createElement('video').canPlayType('video/mp4; codecs=avc1.42E01E')"
    )


def test_a_click_and_keys_move_the_video_and_the_playhead(firefox, report):
    firefox.open(report)
    if not plays_h264(firefox):
        pytest.skip("this Firefox has no H.264 (Debian: apt-get install libavcodec59)")
    firefox.wait_for("document.querySelector('video').readyState >= 2")
    firefox.click(".clip:nth-of-type(4)")
    assert firefox.run(TIME) == pytest.approx(6, abs=0.05)
    firefox.run("document.activeElement.blur()")
    firefox.press("1")
    assert firefox.run(TIME) == pytest.approx(1, abs=0.1)
    place = "Number(document.querySelector('.playhead').getAttribute('x1'))"
    firefox.wait_for(f"{place} > 90 && {place} < 110")
    firefox.press("k")
    firefox.wait_for(f"{TIME} > 1.3")

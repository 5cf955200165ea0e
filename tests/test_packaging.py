"""`pip install .`: what a wheel holds, and that it runs where the checkout is not."""

import re
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
from conftest import PROJECT

from utils.errors import InputError
from utils.extras import needs

LISTED = ("utils", "model_weights", "pyproject.toml", "docs", "LICENSE")


def metadata(wheel: Path) -> str:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [one for one in archive.namelist() if one.endswith("METADATA")]
        return archive.read(name).decode()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built from a copy, so that nothing is left in the checkout."""
    import shutil

    copy = tmp_path_factory.mktemp("source")
    for name in LISTED:
        source = PROJECT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy / name)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", str(copy)]
    subprocess.run(command, check=True, capture_output=True)
    return next((copy / "dist").glob("*.whl"))


def test_a_wheel_holds_every_module_and_the_data_it_needs(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for module in (PROJECT / "utils").rglob("*.py"):
        assert f"lrnet/{module.relative_to(PROJECT / 'utils').as_posix()}" in names
    assert {
        "lrnet/model_weights/manifest.yaml",
        "lrnet/model_weights/bundled/g1.weights.h5",
        "lrnet/model_weights/occlusion/mouth.npz",
        "lrnet/report/templates/video.html.j2",
        "lrnet/serve/templates/serve.js",
        "lrnet/FaceDetector/config/args_face_detector.yaml",
    } <= names
    assert not [name for name in names if name.startswith(("utils/", "tests/"))]


def test_a_plain_install_brings_the_default_path_only(wheel):
    lines = metadata(wheel).splitlines()
    needed = [line for line in lines if line.startswith("Requires-Dist: ")]
    plain = {re.match(r"[\w-]+", line.split()[1])[0] for line in needed if "extra" not in line}
    assert {"numpy", "av", "ai-edge-litert"} <= plain
    assert not plain & {"tensorflow", "keras", "torch", "torchvision", "face-alignment", "dlib-bin"}
    extras = {line.split()[1] for line in lines if line.startswith("Provides-Extra: ")}
    assert {"published", "fan", "retinaface", "dlib", "ray", "c2pa", "web"} == extras


def test_the_package_page_links_to_nothing_that_is_only_in_the_checkout(wheel):
    said = metadata(wheel)
    assert "Project-URL: Paper, https://arxiv.org/abs/2104.04480" in said
    assert "# LRNet: deepfake detection" in said
    assert not [link for link in re.findall(r"\]\(([^)]*)\)", said) if "://" not in link]


def test_a_missing_library_is_one_line_that_names_the_extra():
    complaint = r"--ray needs nonsense: pip install 'lrnet\[ray\]'"
    with pytest.raises(InputError, match=complaint), needs("ray", "--ray"):
        import nonsense  # noqa: F401


@pytest.mark.slow
def test_an_installed_wheel_classifies_and_completes(wheel, tmp_path):
    """In an environment of its own that borrows this one's libraries."""
    home = tmp_path / "env"
    subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
    python = home / "bin" / "python"
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = subprocess.run([python, "-c", where], check=True, capture_output=True, text=True)
    borrowed = Path(packages.stdout.strip()) / "borrowed.pth"
    borrowed.write_text(sysconfig.get_path("purelib"))
    install = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(install, check=True)
    ran = {}
    for name, arguments in (
        ("lrnet-classify", ["-i", str(PROJECT / "landmarks"), "--report", "r"]),
        ("lrnet-extract", ["--print_completion", "bash"]),
        ("lrnet-weights", []),
    ):
        command = [home / "bin" / name, *arguments]
        ran[name] = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
        assert ran[name].returncode == 0, ran[name].stderr
    assert "sample_fake.txt  Fake" in ran["lrnet-classify"].stdout
    assert (tmp_path / "r" / "sample_fake.html").is_file()
    assert "--visualize_path" in ran["lrnet-extract"].stdout
    assert "bundled" in ran["lrnet-weights"].stdout
    program = "from lrnet import detect; print(detect(r'%s').videos[0].label)"
    command = [python, "-c", program % (PROJECT / "landmarks")]
    imported = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert imported.stdout.strip() == "Fake"

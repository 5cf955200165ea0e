"""What the documents say against what is there."""

import re
import subprocess

import yaml
from conftest import PROJECT

DOCUMENTS = [
    PROJECT / name
    for name in subprocess.run(
        ["git", "ls-files", "*.md"], cwd=PROJECT, capture_output=True, text=True
    ).stdout.split()
] or [path for path in PROJECT.rglob("*.md") if ".venv" not in path.parts]
MODULE = re.compile(r"python -m ((?:training|benchmarks|utils)[\w.]*)")
LINK = re.compile(r"\]\((?!https?://|mailto:|#)([^)#\s]+)")


def test_every_link_between_documents_resolves():
    broken = [
        (path.name, target)
        for path in DOCUMENTS
        for target in LINK.findall(path.read_text(encoding="utf-8"))
        if not (path.parent / target).exists()
    ]
    assert len(DOCUMENTS) > 5 and not broken


def test_every_module_that_a_document_runs_exists():
    missing = []
    for path in DOCUMENTS:
        for module in re.findall(
            r"python -m ((?:training|benchmarks|utils)[\w.]*)", path.read_text()
        ):
            file = PROJECT / module.replace(".", "/")
            if not (file.with_suffix(".py").is_file() or (file / "__main__.py").is_file()):
                missing.append((path.name, module))
    assert not missing


def test_the_band_is_the_manifests_in_every_document():
    manifest = yaml.safe_load((PROJECT / "model_weights/manifest.yaml").read_text())
    low, high = manifest["sets"]["bundled"]["unclear"]
    readme = (PROJECT / "README.md").read_text()
    assert f"the score is {high} or more" in readme and f"the score is below {low}" in readme

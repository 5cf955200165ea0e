"""The package's own imports: they run with the data's way, and are relative."""

import ast
from pathlib import Path

UTILS = Path(__file__).resolve().parent.parent / "utils"
# From the first stage to the last; a stage imports from itself and from earlier ones.
STAGES = (
    ("errors", "extras", "limits", "processes", "shared"),
    ("locations",),
    (
        *("console", "cores", "face_boxes", "inputs", "kernel_machine", "outputs"),
        *("rigid_motion", "atomic_write", "warping"),
    ),
    ("texture",),
    ("weights",),
    ("video", "FaceDetector", "LandmarkDetector"),
    ("tracking",),
    ("calibration", "deprecated"),
    ("landmark_files",),
    ("landmark_utils",),
    ("network",),
    ("verdict",),
    ("report",),
    ("run",),
    ("scaling",),
    ("serve", "api"),
    ("commands",),
    ("__main__",),
)
STAGE_OF = {room: number for number, rooms in enumerate(STAGES) for room in rooms}
MODULES = sorted(path for path in UTILS.rglob("*.py") if path != UTILS / "__init__.py")


def imported_rooms(path: Path) -> set[str]:
    """The rooms of `utils` from which a module imports, inside its functions too."""
    folder = path.parent.relative_to(UTILS).parts
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            above = folder[: len(folder) - node.level + 1]
            named = [*above, *(node.module or "").split(".")]
            rooms.update([named[0]] if named[0] else [alias.name for alias in node.names])
    return rooms


def absolute_imports(path: Path) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.append(node.module)
    return names


def test_no_module_imports_from_a_later_stage():
    upward = [
        (str(path.relative_to(UTILS)), room)
        for path in MODULES
        for room in imported_rooms(path)
        if STAGE_OF[room] > STAGE_OF[path.relative_to(UTILS).parts[0].removesuffix(".py")]
    ]
    assert len(MODULES) > 50 and not upward


def test_imports_inside_the_package_are_relative():
    absolute = [
        (str(path.relative_to(UTILS)), name)
        for path in MODULES
        for name in absolute_imports(path)
        if name.split(".")[0] == "utils"
    ]
    assert not absolute

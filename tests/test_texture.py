"""The third stream: patches, measures, figures, files, the kernel machine and the rules."""

import zipfile
from dataclasses import replace

import cv2
import numpy as np
import pytest
from conftest import PROJECT, run_classify
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.errors import InputError
from utils.kernel_machine import KernelMachine, load_kernel_machine, save_kernel_machine
from utils.rigid_motion import RIGID_POINTS, TEMPLATE, template_transform
from utils.run.extraction import extract_videos
from utils.run.extraction_job import ExtractionOptions
from utils.run.video_extraction import VideoExtractor
from utils.texture.activation_measures import ActivationMeter
from utils.texture.clip_figures import (
    CLIP_FRAMES,
    COLUMNS,
    FIELD_OF_FIGURE,
    FIGURE_KINDS,
    MIN_CLIP_FRAMES,
    TEXTURE_FIGURES,
    field_variations,
    texture_clips,
    texture_figures,
)
from utils.texture.face_patch import (
    PATCH_PIXELS,
    face_patch,
)
from utils.texture.field_measures import TextureMeter, texture_stride
from utils.texture.field_weights import field_weights
from utils.texture.texture_file import (
    TextureTrack,
    is_of_earlier_release,
    read_texture,
    texture_path,
    write_texture,
)
from utils.texture.texture_rows import CHANNELS, FIELDS, GRID, MEASURES
from utils.weights.sets import BUNDLED, DecisionRule, read_manifest

SHAPE = (FIELDS, len(MEASURES))


def landmarks_at(a: complex, b: complex) -> np.ndarray:
    """Landmarks (68, 2) whose rigid points are the template's, turned, scaled and moved."""
    points = np.zeros(68, complex)
    points[RIGID_POINTS] = TEMPLATE
    carried = a * points + b
    return np.stack([carried.real, carried.imag], axis=1)


def noise(random, frames: int) -> np.ndarray:
    """Frames (frames, 200, 200, 3) of a blurred pattern with fresh noise in each."""
    still = cv2.GaussianBlur(random.integers(0, 255, (200, 200, 3)).astype(np.float32), (0, 0), 4)
    return np.clip(still + random.normal(0, 6, (frames, 200, 200, 3)), 0, 255).astype(np.uint8)


@given(st.floats(10, 300), st.floats(-3, 3), st.floats(-500, 500), st.floats(-500, 500))
def test_the_transform_of_a_template_is_found_again(scale, angle, x, y):
    a, b = scale * np.exp(1j * angle), complex(x, y)
    found = template_transform(landmarks_at(a, b))
    assert np.allclose(found, (a, b), atol=1e-6 * scale)


def test_a_patch_does_not_depend_on_where_a_face_lies_or_how_it_is_turned(random):
    frame = cv2.GaussianBlur(random.integers(0, 255, (400, 400, 3)).astype(np.uint8), (0, 0), 6)
    upright = face_patch(frame, landmarks_at(60, 200 + 180j))
    turned = cv2.warpAffine(frame, cv2.getRotationMatrix2D((200, 200), 30, 1), (400, 400))
    a = np.exp(-1j * np.deg2rad(30))
    again = face_patch(turned, landmarks_at(60 * a, 200 + 200j + a * (-20j)))
    assert upright.shape == (PATCH_PIXELS, PATCH_PIXELS, 3)
    assert np.abs(upright - again).mean() < 1.5


def test_what_needs_a_frame_before_is_not_measured_in_the_first(random):
    frames, meter = noise(random, 3), TextureMeter()
    rows = [meter.measure(frame, landmarks_at(60, 100 + 90j)) for frame in frames]
    missing = [[MEASURES[i] for i in range(10) if np.isnan(row[:, i]).all()] for row in rows]
    colours = "green", "red_minus_green"
    assert missing[0] == ["change", "acceleration", "unchanged", *colours, "unexplained"]
    assert missing[1] == ["acceleration"] and missing[2] == []
    meter.reset()
    assert np.isnan(meter.measure(frames[0], landmarks_at(60, 100 + 90j))[:, 0]).all()


def test_a_frozen_picture_does_not_change(random):
    frame, meter = noise(random, 1)[0], TextureMeter()
    still, again = (meter.measure(frame, landmarks_at(60, 100 + 90j)) for _ in range(2))
    assert (again[:, MEASURES.index("unchanged")] == 1).all()
    assert np.array_equal(still[:, 2:6], again[:, 2:6])


def test_a_motion_explains_the_change_that_noise_does_not(random):
    face = cv2.GaussianBlur(random.normal(size=(200, 200, 3)), (0, 0), 8)
    face = 128 + 40 * face / face.std()
    moved = cv2.warpAffine(face, np.array([[1.0, 0, 0.8], [0, 1, 0.5]]), (200, 200))
    noisy = face + random.normal(0, 4, face.shape)
    left = {}
    for name, second in (("moved", moved), ("noisy", noisy)):
        meter = TextureMeter()
        for frame in (face, second):
            picture = frame.round().clip(0, 255).astype(np.uint8)
            row = meter.measure(picture, landmarks_at(60, 100 + 95j))
        left[name] = np.median(row[:, MEASURES.index("unexplained")])
    assert left["moved"] < np.log(0.2) < np.log(0.7) < left["noisy"] <= 0


def test_with_a_stride_of_two_every_second_frame_is_compared(random):
    frames = noise(random, 6)
    plain, fast = TextureMeter(), TextureMeter(2)
    every = [plain.measure(frame, landmarks_at(60, 100 + 90j)) for frame in frames[::2]]
    both = [fast.measure(frame, landmarks_at(60, 100 + 90j)) for frame in frames]
    assert np.array_equal(np.array(every), np.array(both)[::2], equal_nan=True)


def layers(random) -> tuple[np.ndarray, ...]:
    """Activations of one frame, as the mesh gives them."""
    sizes = (32, 32, 32), (16, 16, 64)
    return tuple(random.normal(size=size).astype(np.float32) for size in sizes)


def test_the_change_of_activations_is_the_log_of_its_root_mean_square(random):
    first, change = layers(random), layers(random)
    second = tuple(one + 0.5 * by for one, by in zip(first, change, strict=True))
    meter = ActivationMeter()
    assert np.isnan(meter.measure(first)).all()
    expected = [np.log(0.5 * np.sqrt(np.square(by).mean(axis=(0, 1)))) for by in change]
    assert np.allclose(meter.measure(second), np.concatenate(expected), atol=0.01)
    meter.reset()
    assert np.isnan(meter.measure(second)).all()


def test_activations_of_fast_videos_are_compared_at_the_stride(random):
    frames = [layers(random) for _ in range(6)]
    plain, fast = ActivationMeter(), ActivationMeter(2)
    every = [plain.measure(frame) for frame in frames[::2]]
    both = [fast.measure(frame) for frame in frames]
    assert np.array_equal(np.array(every), np.array(both)[::2], equal_nan=True)


@pytest.mark.parametrize(("fps", "stride"), [(25, 1), (30, 1), (44, 1), (50, 2), (60, 2), (120, 4)])
def test_fast_videos_are_compared_at_a_stride(fps, stride):
    assert texture_stride(fps) == stride


@given(st.integers(0, 400))
def test_texture_clips_have_one_length_and_lie_in_the_segment(frames):
    clips = texture_clips(frames)
    assert bool(clips) == (frames >= MIN_CLIP_FRAMES)
    assert all(0 <= start < end <= frames for start, end in clips)
    if frames >= CLIP_FRAMES:
        assert {end - start for start, end in clips} == {CLIP_FRAMES}


def test_a_mirrored_face_has_the_same_figures(random):
    rows = random.normal(0, 1, (CLIP_FRAMES, *SHAPE)).astype(np.float16)
    mirrored = rows.reshape(CLIP_FRAMES, 7, 7, -1)[:, :, ::-1].reshape(rows.shape)
    activations = np.zeros((CLIP_FRAMES, CHANNELS), np.float16)
    of_either = [texture_figures(one, activations, 25) for one in (rows, mirrored)]
    assert of_either[0].shape == (TEXTURE_FIGURES,)
    assert np.allclose(*of_either, atol=1e-4)


def test_among_the_figures_of_a_clip_is_the_mean_change_of_its_activations(random):
    rows = random.normal(0, 1, (CLIP_FRAMES, *SHAPE)).astype(np.float16)
    activations = random.normal(0, 1, (CLIP_FRAMES, CHANNELS)).astype(np.float16)
    activations[0] = np.nan
    figures = texture_figures(rows, activations, 25)
    assert figures.shape == (TEXTURE_FIGURES,)
    of_layers = figures[FIELD_OF_FIGURE < 0]
    assert np.allclose(of_layers, activations[1:].astype(float).mean(axis=0))


def test_each_field_has_as_many_figures_as_any_other():
    assert FIELD_OF_FIGURE.shape == (TEXTURE_FIGURES,) == (sum(map(sum, FIGURE_KINDS)),)
    assert set(np.bincount(FIELD_OF_FIGURE[FIELD_OF_FIGURE >= 0])) == {19}


def test_a_field_that_changes_with_the_whole_face_differs_from_one_that_does_not(random):
    values = {name: random.normal(0, 1, (CLIP_FRAMES, FIELDS)) for name in MEASURES}
    values["change"] += 3 * random.normal(0, 1, (CLIP_FRAMES, 1))  # all fields together
    middle = GRID // 2 * GRID + GRID // 2  # mirrors itself
    values["change"][:, middle] = random.normal(0, 1, CLIP_FRAMES)
    together = field_variations(values).reshape(GRID * COLUMNS, -1)[:, 1]
    apart = GRID // 2 * COLUMNS + GRID // 2
    assert together[apart] < 0.5 < 0.8 < np.delete(together, apart).min()


@given(st.integers(1, 40), st.integers(1, 5), st.integers(0, 2**32 - 1))
@settings(max_examples=25)
def test_a_texture_file_is_read_as_it_was_written(tmp_path_factory, lines, stride, seed):
    generator = np.random.default_rng(seed)
    rows, activations = (  # any bits, NaN and infinite ones among them
        generator.integers(0, 1 << 16, (lines, *shape), np.uint16).view(np.float16)
        for shape in (SHAPE, (CHANNELS,))
    )
    path = tmp_path_factory.mktemp("texture") / "a.b.txt"
    write_texture(texture_path(path), TextureTrack(rows, activations, stride))
    found = read_texture(path, lines)
    assert found.stride == stride and np.array_equal(found.rows, rows, equal_nan=True)
    assert np.array_equal(found.activations, activations, equal_nan=True)
    assert [one.name for one in path.parent.iterdir()] == ["a.b.texture.npz"]


def write_bomb(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("rows.npy", bytes(1 << 24))


def write_arrays(path, version=3, rows=(10, *SHAPE), activations=(10, CHANNELS), kind=np.float16):
    np.savez(
        path, version=version, stride=1,
        rows=np.zeros(rows, kind), activations=np.zeros(activations, kind),
    )  # fmt: skip


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(b"no zip"),
        lambda path: np.savez(path, rows=np.zeros(3, np.float16)),
        lambda path: np.savez(path, version=3, stride=1, rows=np.zeros((10, *SHAPE), np.float16)),
        lambda path: np.savez(path, version=3, stride=1, rows=np.array([{}] * 10, object)),
        lambda path: write_arrays(path, rows=(9, *SHAPE)),
        lambda path: write_arrays(path, activations=(10, CHANNELS - 1)),
        lambda path: write_arrays(path, kind=np.float32),
        lambda path: write_arrays(path, version=4),
        write_bomb,
    ],
)
def test_a_texture_file_that_does_not_fit_is_refused(tmp_path, spoil):
    spoil(texture_path(tmp_path / "a.txt"))
    with pytest.raises(InputError, match="not the texture of its landmark file"):
        read_texture(tmp_path / "a.txt", 10)


@pytest.mark.parametrize(("version", "measures"), [(1, 9), (2, 10)])
def test_a_texture_file_of_an_earlier_release_counts_as_none(tmp_path, version, measures):
    rows = np.zeros((10, FIELDS, measures), np.float16)
    np.savez_compressed(tmp_path / "a.texture.npz", version=version, stride=1, rows=rows)
    assert read_texture(tmp_path / "a.txt", 10) is None


def test_without_a_texture_file_there_is_none(tmp_path):
    assert read_texture(tmp_path / "a.txt", 10) is None
    assert not is_of_earlier_release(tmp_path / "a.txt")


@pytest.mark.parametrize(("version", "earlier"), [(1, True), (2, True), (3, False)])
def test_a_run_that_skips_a_video_tells_of_texture_by_an_earlier_release(
    capsys, tmp_path, extracted, version, earlier
):
    output = tmp_path / "sample_real.txt"
    output.write_bytes(extracted.read_bytes())
    write_arrays(texture_path(output), version=version)
    options = ExtractionOptions(output_path=tmp_path, log_file=tmp_path / "log.txt")
    assert extract_videos([PROJECT / "input" / "sample_real.mp4"], options) == 0
    errors = capsys.readouterr().err
    assert "1 skipped" in errors
    assert ("1 of them have a texture file of an earlier release" in errors) == earlier


@pytest.fixture
def machine(random) -> KernelMachine:
    return KernelMachine(
        np.zeros(6), np.ones(6), random.normal(size=(9, 6)), random.normal(size=9),
        np.array(0.2), np.array(0.1),
    )  # fmt: skip


def test_the_kernel_machine_answers_as_scikit_learns(random):
    svm = pytest.importorskip("sklearn.svm")
    values = random.normal(size=(60, 5))
    labels = values[:, 0] * values[:, 1] > 0
    learned = svm.SVC(C=3, gamma=0.3).fit(values, labels)
    ours = KernelMachine(
        np.zeros(5), np.ones(5), learned.support_vectors_, learned.dual_coef_[0],
        np.array(0.3), np.array(learned.intercept_[0]),
    )  # fmt: skip
    fresh = random.normal(size=(20, 5))
    decisions, similarity = ours(fresh)
    assert np.allclose(decisions, learned.decision_function(fresh), atol=1e-4)
    assert (similarity > 0).all()
    assert ours(learned.support_vectors_)[1] == pytest.approx(1, abs=1e-4)


def test_a_saved_machine_answers_the_same(tmp_path, machine, random):
    save_kernel_machine(tmp_path / "m.npz", machine)
    values = random.normal(size=(20, 6))
    again = load_kernel_machine(tmp_path / "m.npz")(values)[0]
    assert np.allclose(again, machine(values)[0], atol=0.02)


def test_a_transform_is_applied_and_saved(tmp_path, machine, random):
    turned = replace(machine, transform=np.diag([2.0, 1, 1, 1, 1, 1]))
    values = random.uniform(-1, 1, (20, 6))
    carried = values * [2, 1, 1, 1, 1, 1]
    assert np.allclose(turned(values)[0], machine(carried)[0])
    save_kernel_machine(tmp_path / "m.npz", turned)
    assert np.allclose(
        load_kernel_machine(tmp_path / "m.npz")(values)[0], turned(values)[0], atol=0.02
    )


def test_a_transform_of_another_size_is_refused(tmp_path, machine):
    save_kernel_machine(tmp_path / "m.npz", replace(machine, transform=np.eye(5)))
    with pytest.raises(InputError, match="not a kernel machine"):
        load_kernel_machine(tmp_path / "m.npz")


def test_where_sources_are_levelled_what_differs_between_them_counts_less(random):
    pytest.importorskip("sklearn", reason="scikit-learn is missing: requirements-dev.txt")
    from training.kernel_training import MachineRecipe, fit_machine, within_class_transform

    sources = np.repeat(np.arange(40), 8)
    camera = random.normal(size=40)[sources]
    fake = sources % 2 == 1
    points = random.normal(size=(320, 3))
    points[:, 0] += 5 * camera
    points[:, 1] += 1.5 * (fake - 0.5)
    points /= points.std(axis=0)
    transform = within_class_transform(points, fake, sources, np.ones(320))
    assert transform[1, 1] > 1.2 * transform[0, 0] > 0
    recipe = MachineRecipe(c=1, gamma=0.5, level_sources=True)
    decisions = fit_machine(points, fake, recipe, np.ones(320), sources)(points)[0]
    assert decisions[fake].mean() > decisions[~fake].mean() + 1


def test_kinds_of_figures_count_the_same_however_many_they_are(random):
    pytest.importorskip("sklearn", reason="scikit-learn is missing: requirements-dev.txt")
    from training.kernel_training import kind_scale

    points = random.normal(size=(4000, 10)) * kind_scale((8, 2))
    first, second = np.square(points[:, :8]).sum(axis=1), np.square(points[:, 8:]).sum(axis=1)
    assert first.mean() == pytest.approx(second.mean(), rel=0.1)
    assert (first + second).mean() == pytest.approx(10, rel=0.05)


def in_groups(machine: KernelMachine) -> KernelMachine:
    groups, shares = np.array([0, 0, 1, 1, 1, 1]), np.array([0.3, 0.7])
    return replace(machine, gamma=np.array([0.5, 0.1]), groups=groups, shares=shares)


def test_a_kernel_of_groups_is_the_sum_of_theirs(machine, random):
    values = random.uniform(-1, 1, (20, 6))
    kernel = in_groups(machine).kernel(values)
    for point, row in zip(values, kernel, strict=True):
        squares = np.square(machine.vectors - point)
        first = np.exp(-0.5 * squares[:, :2].sum(axis=1))
        second = np.exp(-0.1 * squares[:, 2:].sum(axis=1))
        assert np.allclose(row, 0.3 * first + 0.7 * second)


def test_a_machine_with_groups_is_saved_and_read(tmp_path, machine, random):
    grouped = in_groups(machine)
    save_kernel_machine(tmp_path / "m.npz", grouped)
    values = random.normal(size=(20, 6))
    again = load_kernel_machine(tmp_path / "m.npz", 6)(values)[0]
    assert np.allclose(again, grouped(values)[0], atol=0.02)


@pytest.mark.parametrize(
    "spoiled",
    [
        {"groups": np.array([0, 0, 1, 1, 1])},
        {"groups": np.array([0, 0, 1, 1, 1, 2])},
        {"groups": np.array([0, 0, 1, 1, 1, -1])},
        {"groups": np.full(6, 9999), "shares": np.ones(10_000), "gamma": np.ones(10_000)},
        {"shares": np.array([1.0])},
        {"gamma": np.array(0.2)},
    ],
)
def test_groups_that_do_not_fit_are_refused(tmp_path, machine, spoiled):
    save_kernel_machine(tmp_path / "m.npz", replace(in_groups(machine), **spoiled))
    with pytest.raises(InputError, match="not a kernel machine"):
        load_kernel_machine(tmp_path / "m.npz")


def test_groups_without_shares_are_refused(tmp_path, machine):
    save_kernel_machine(tmp_path / "m.npz", in_groups(machine))
    with np.load(tmp_path / "m.npz") as content:
        arrays = {name: content[name] for name in content if name != "shares"}
    np.savez(tmp_path / "m.npz", **arrays)
    with pytest.raises(InputError, match="groups without shares"):
        load_kernel_machine(tmp_path / "m.npz")


def test_a_machine_is_learned_in_groups_of_figures(random):
    pytest.importorskip("sklearn", reason="scikit-learn is missing: requirements-dev.txt")
    from training.kernel_training import MachineRecipe, fit_machine

    points = random.normal(size=(300, 6))
    fake = points[:, 0] * points[:, 1] > 0  # in the first group; no figure tells alone
    kinds = ((2, 2), (2,))
    recipe = MachineRecipe(c=10, gamma=1, kinds=kinds, kind_shares=(0.5, 0.5))
    machine = fit_machine(points, fake, recipe)
    assert machine.shares == pytest.approx([0.25, 0.25, 0.5])
    fresh = random.normal(size=(300, 6))
    truth = fresh[:, 0] * fresh[:, 1] > 0
    assert ((machine(fresh)[0] > 0) == truth).mean() > 0.85


def test_a_figure_that_is_missing_counts_as_the_mean(machine):
    values = np.zeros((1, 6))
    holes = values.copy()
    holes[0, 2] = np.nan
    assert np.array_equal(machine(values)[0], machine(holes)[0])


def test_a_file_that_is_no_kernel_machine_is_refused(tmp_path, machine):
    np.savez(tmp_path / "a.npz", mean=np.zeros(3))
    (tmp_path / "b.npz").write_bytes(b"no zip")
    save_kernel_machine(tmp_path / "c.npz", machine)
    with np.load(tmp_path / "c.npz") as content:
        np.savez(tmp_path / "c.npz", **{**content, "coefficients": np.zeros(3)})
    for name in "abc":
        with pytest.raises(InputError, match="not a kernel machine"):
            load_kernel_machine(tmp_path / f"{name}.npz")


def test_a_kernel_machine_of_other_figures_is_refused(tmp_path, machine):
    save_kernel_machine(tmp_path / "a.npz", machine)
    load_kernel_machine(tmp_path / "a.npz", 6)
    with pytest.raises(InputError, match="not a kernel machine"):
        load_kernel_machine(tmp_path / "a.npz", 7)


def test_a_rule_gives_a_score_and_a_band_by_length():
    rule = DecisionRule((2.0, 1.0), -1.0, ((0, 0.1, 0.9), (4, 0.2, 0.8), (8, 0.3, 0.7)))
    assert rule.score([0.5, 0.0]) == 0.5
    assert [rule.band(seconds) for seconds in (1, 4, 100)] == [(0.1, 0.9), (0.2, 0.8), (0.3, 0.7)]


def test_short_tracks_need_stronger_evidence_in_our_own_set():
    for rule in read_manifest().sets[BUNDLED].rules.values():
        bands = np.array(rule.bands)
        assert (np.diff(bands[:, 1]) >= 0).all() and (np.diff(bands[:, 2]) <= 0).all()


@pytest.fixture(scope="module")
def extracted(tmp_path_factory):
    """Landmarks and texture of the sample video."""
    path = tmp_path_factory.mktemp("texture") / "sample.txt"
    options = ExtractionOptions(face_detector="blazeface", landmark_detector="mediapipe")
    report = VideoExtractor(options).extract(PROJECT / "input" / "sample_real.mp4", path, False)
    assert not report.error
    return path


def test_extraction_writes_a_row_of_texture_for_each_line(extracted):
    lines = len(np.loadtxt(extracted))
    texture = read_texture(extracted, lines)
    assert np.isfinite(texture.rows[2:].astype(float)).all()
    assert np.isfinite(texture.activations[1:].astype(float)).all()


def test_the_score_rests_on_texture_where_there_is_some_and_says_so(
    monkeypatch, capsys, tmp_path, extracted
):
    import json

    streams = []
    for name in ("with", "without"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "a.txt").write_bytes(extracted.read_bytes())
        if name == "with":
            texture_path(folder / "a.txt").write_bytes(texture_path(extracted).read_bytes())
        run_classify(monkeypatch, capsys, "-i", folder, "--json", folder / "out.json")
        (face,) = json.loads((folder / "out.json").read_text())["videos"]
        streams.append(face["streams"])
        assert all((clip["g3"] is None) == (name == "without") for clip in face["clips"])
        assert all(0 < clip["g4"] < 1 for clip in face["clips"])
    assert streams == [["g1", "g2", "g3", "g4"], ["g1", "g2", "g4"]]


def test_a_texture_of_another_file_is_one_line(monkeypatch, capsys, tmp_path, extracted):
    (tmp_path / "a.txt").write_bytes(extracted.read_bytes())
    np.savez(texture_path(tmp_path / "a.txt"), version=1)
    status, lines, errors = run_classify(monkeypatch, capsys, "-i", tmp_path)
    assert status == 1 and not lines
    assert "a.texture.npz: not the texture of its landmark file" in errors


def test_the_field_that_decides_weighs_most_on_both_sides_of_the_face(random):
    """A machine that looks at one field alone, the second of the third row."""
    field = 2 * COLUMNS + 1
    vector = np.where(field == FIELD_OF_FIGURE, 1.0, 0.0)[None]
    machine = KernelMachine(
        np.zeros(TEXTURE_FIGURES), np.ones(TEXTURE_FIGURES), vector, np.ones(1),
        np.array(0.05), np.array(-0.3),
    )  # fmt: skip
    weights = field_weights(machine, np.repeat(vector, 3, axis=0))
    assert weights.shape == (GRID, GRID)
    assert weights[2, 1] == weights[2, GRID - 2] == weights.max() > 0
    assert np.count_nonzero(np.abs(weights) > 1e-6) == 2

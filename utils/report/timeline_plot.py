"""The timeline of a video as a plot: PNG and SVG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..console import printable
from ..errors import InputError
from ..extras import needs
from ..verdict.results import VideoResult
from ..verdict.words import format_time
from .colours import score_rgb
from .file_names import FileNames
from .per_video import PerVideoWriter, video_rate

INCHES, ROW_INCHES = 9.0, 2.2
DOTS_PER_INCH = 110


class PlotWriter(PerVideoWriter):
    """Writes `<video>.png` and `<video>.svg` of each video: a row a face, its clips' scores over
    time, both streams, and the band in which the set is wrong too often.

    Raises:
        InputError: the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._names = FileNames()

    def write_video(self, faces: Sequence[VideoResult]) -> None:
        drawn = [face for face in faces if face.clips]
        if not drawn:
            return
        with needs("plot", "--plot"):
            from matplotlib.figure import Figure

        figure = Figure((INCHES, ROW_INCHES * len(drawn)), layout="constrained")
        rows = figure.subplots(len(drawn), 1, squeeze=False)[:, 0]
        for axes, face in zip(rows, drawn, strict=True):
            self._draw_face(axes, face)
        figure.legend(*rows[-1].get_legend_handles_labels(), loc="outside lower right", ncols=3)
        name = self._names.of(drawn[0])
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for suffix in (".png", ".svg"):
                figure.savefig(self._folder / f"{name}{suffix}", dpi=DOTS_PER_INCH)
        except OSError as error:
            raise InputError(f"{self._folder}: cannot be written ({error.strerror})") from None

    def _draw_face(self, axes, face: VideoResult) -> None:  # noqa: ANN001 - matplotlib's
        if face.band is not None:
            axes.axhspan(*face.band, color="0.92", label="unclear")
        times = [clip.time for clip in face.clips]
        rate = video_rate(face)
        lengths = [(clip.end - clip.start) / rate for clip in face.clips]
        colours = [[part / 255 for part in score_rgb(clip.score)] for clip in face.clips]
        scores = [clip.score for clip in face.clips]
        axes.bar(times, scores, lengths, align="edge", color=colours, alpha=0.75, edgecolor="white")
        middles = [time + length / 2 for time, length in zip(times, lengths, strict=True)]
        for stream, mark in (("g1", "^"), ("g2", "v")):
            values = [getattr(clip, stream) for clip in face.clips]
            axes.plot(middles, values, mark, color="0.2", markersize=5, label=stream)
        axes.set(ylim=(0, 1.02), xlim=(min(times), None), ylabel="score")
        axes.xaxis.set_major_formatter(lambda value, _: format_time(max(0, value)))
        about = f"face {face.face}: {face.label}, {face.score:.2f}"
        # a name is text, never markup: a dollar sign would begin a formula
        title = f"{printable(face.video or face.name)}   {about}".replace("$", r"\$")
        axes.set_title(title, fontsize="medium", loc="left")

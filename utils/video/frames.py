"""Decodes videos frame by frame, as players show them, with a few frames in memory.

FFmpeg decodes, through PyAV. What a file asks of a player is done here: rotation and mirror, square
pixels, whole pictures from interlaced ones, edit lists, the default stream, 8 bits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..errors import InputError
from ..limits import MAX_FPS, MAX_MEGAPIXELS, MAX_VIDEO_SECONDS
from .animated_webp import WebPDecoder, is_webp
from .display import (
    HYBRID_LOG_GAMMA,
    PERCEPTUAL_QUANTIZER,
    Orientation,
    TimedFrame,
    check_size,
    orientation_of,
    over_black,
    side_matrix,
    square_pixels,
    tone_map,
)
from .file_types import DEFAULT_FPS, IMAGE_PATTERN, is_image_pattern
from .pixels import PixelConverter, filter_chain

# one picture per frame; frames that are not interlaced pass as they are
DEINTERLACING = "bwdif", "mode=send_frame:deint=interlaced"
# How files begin that are read as others: concat, HLS, DASH and IMF, SDP, ASX and PLS.
PLAYLISTS = (b"ffconcat", b"#extm3u", b"<?xml", b"<mpd", b"v=0", b"<asx", b"[playlist]")
MAX_LOSS = 0.1  # of the frames; a video that lost more is damaged


class Video:
    """One video: what it is, and its frames. Use as a context manager.

    Args:
        path: a file, or an image sequence such as `frames/%05d.png`.
        image_rate: frames per second of an image sequence.
        threads: of the decoder; 0 is as many as it likes.
        max_megapixels: million pixels of a frame, at most.

    Attributes:
        fps: as the container declares it; `frame_count_hint`: frames it declares, 0 if unknown.
        width, height: in pixels, as shown; `codec`: the decoder's name; `stream`: its number.
        file_bytes: when it was opened; 0 of an image sequence.
        frames_lost: of the last pass over the frames: what was damaged.

    Raises:
        InputError: no such file, no video in it, or no frame that can be decoded.
    """

    def __init__(
        self,
        path: Path,
        image_rate: float = DEFAULT_FPS,
        threads: int = 0,
        max_megapixels: float = MAX_MEGAPIXELS,
    ) -> None:
        self.path = path
        self.frames_lost = 0
        self._image_rate = image_rate
        self._threads = threads
        self._max_megapixels = max_megapixels
        self._opened: _Decoder | WebPDecoder | None = self._open()
        self.file_bytes = path.stat().st_size if path.is_file() else 0
        decoder = self._opened
        self.fps, self.frame_count_hint = decoder.fps, decoder.frame_count_hint
        self.width, self.height = decoder.display_size
        self.codec, self.stream = decoder.codec, decoder.stream_number

    def __enter__(self) -> Video:
        return self

    def __exit__(self, *ending: object) -> None:
        self._close()

    def _close(self) -> None:
        if self._opened is not None:
            self._opened.close()
        self._opened = None

    def _open(self) -> _Decoder | WebPDecoder:
        if self.path.is_file() and is_webp(self.path):
            return WebPDecoder(self.path, self._max_megapixels)
        return _Decoder(self.path, self._image_rate, self._threads, self._max_megapixels)

    def frames(self) -> Iterator[TimedFrame]:
        """The frames, from the first to the last that is sound; each call is a pass of its own.

        Raises:
            InputError: more than a tenth of them is damaged.
        """
        decoder, self._opened = self._opened or self._open(), None
        try:
            count = 0
            for frame in decoder.frames():
                count += 1
                yield frame
        finally:
            self.frames_lost = decoder.lost
            decoder.close()
        if decoder.lost > MAX_LOSS * (count + decoder.lost):
            whole = count + decoder.lost
            raise InputError(
                f"{self.path}: {decoder.lost} of {whole} frames are damaged; get another copy of it"
            )

    def pictures(self) -> Iterator[np.ndarray]:
        """The pictures alone; see `frames`."""
        for frame in self.frames():
            yield frame.picture


def _open_container(path: Path, image_rate: float) -> Any:
    """A PyAV container. Raises InputError where the file is missing, empty or unknown."""
    import av

    address, container_format = f"file:{path}", None
    options = {"protocol_whitelist": "file"}
    if is_image_pattern(path):
        container_format = "image2"
        first = _first_number(path)
        options |= {"framerate": f"{image_rate:g}", "start_number": str(first)}
    elif not path.is_file():
        raise InputError(f"{path}: no such file")
    elif path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty")
    elif _is_playlist(path):
        raise InputError(f"{path}: a playlist that names other files; give the video itself")
    try:
        return av.open(address, format=container_format, options=options, metadata_errors="ignore")
    except (av.error.FFmpegError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "unknown format"
        raise InputError(f"{path}: not a video that FFmpeg can read ({reason})") from None


def _is_playlist(path: Path) -> bool:
    """Whether FFmpeg would open other files that this one names."""
    with path.open("rb") as file:
        start = file.read(256).removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return start.startswith(PLAYLISTS)


def _first_number(pattern: Path) -> int:
    """The lowest number for which a file of an image sequence exists."""
    before, after = IMAGE_PATTERN.split(pattern.name, maxsplit=1)
    named = re.compile(re.escape(before) + r"(\d+)" + re.escape(after))
    folder = pattern.parent
    matches = [named.fullmatch(path.name) for path in folder.iterdir()] if folder.is_dir() else []
    numbers = [int(match[1]) for match in matches if match]
    if not numbers:
        raise InputError(f"{pattern}: no file has a name of this pattern")
    return min(numbers)


class _Decoder:
    """One pass over the video stream that a player would choose."""

    def __init__(self, path: Path, image_rate: float, threads: int, max_megapixels: float) -> None:
        self._path = path
        self._container = _open_container(path, image_rate)
        self.lost = 0
        self._threads = threads
        self._max_megapixels = max_megapixels
        self._deinterlacer: Any = None
        self._pixels = PixelConverter(threads)
        try:
            self._stream = self._choose_stream()
            context = self._stream.codec_context
            context.thread_type = "AUTO"
            context.thread_count = threads
            self._decoded = self._decode()
            self._first = next(self._decoded, None)
            if self._first is None:
                raise InputError(f"{path}: no frame can be decoded; the file is damaged")
            self._read_properties(self._first)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._container.close()

    def _choose_stream(self) -> Any:
        """The default video stream; of several the largest. Cover pictures are not videos."""
        from av.stream import Disposition

        videos = self._container.streams.video
        moving = [one for one in videos if not one.disposition & Disposition.attached_pic]
        playable = [one for one in moving if one.codec_context is not None]
        if not playable:
            what = "a picture, but no video" if videos and not moving else "no picture"
            raise InputError(f"{self._path}: there is {what} in this file")

        def worth(stream: Any) -> tuple[bool, int]:
            size = stream.codec_context.width * stream.codec_context.height
            return bool(stream.disposition & Disposition.default), size

        chosen = max(playable, key=worth)
        context = chosen.codec_context
        check_size(self._path, context.width, context.height, self._max_megapixels)
        return chosen

    def _read_properties(self, first: Any) -> None:
        """What the stream and its first frame say of the whole."""
        stream = self._stream
        rate = stream.average_rate or stream.guessed_rate or 0
        self.fps = float(rate) if 0 < rate <= MAX_FPS else DEFAULT_FPS
        self.frame_count_hint = max(0, stream.frames)
        self.codec, self.stream_number = stream.codec_context.name, stream.index
        self._size = first.width, first.height
        aspect = stream.sample_aspect_ratio or Fraction(1)
        self._stored_size = square_pixels(*self._size, float(aspect))
        check_size(self._path, *self._size, self._max_megapixels)
        check_size(self._path, *self._stored_size, self._max_megapixels)
        self._orientation: Orientation = orientation_of(side_matrix(first))
        width, height = self._stored_size
        self.display_size = (height, width) if self._orientation.transpose else (width, height)
        self._hdr = first.color_trc in (PERCEPTUAL_QUANTIZER, HYBRID_LOG_GAMMA)
        self._alpha = any(component.is_alpha for component in first.format.components) or (
            first.format.name == "pal8"
        )

    def _decode(self) -> Iterator[Any]:
        """PyAV frames that are sound; what is not is counted."""
        import av

        errors = (av.error.FFmpegError, ValueError)
        self.lost += self._count_truncated()
        packets = self._container.demux(self._stream)
        decoded = 0
        while True:
            try:
                packet = next(packets, None)
            except errors:  # the file breaks off: what it promised beyond is lost
                for frame in self._flush(errors):
                    decoded += 1
                    yield frame
                self.lost += max(1, self._stream.frames - decoded - self.lost)
                return
            if packet is None:
                return
            try:
                frames = packet.decode()
            except errors:
                self.lost += 1
                continue
            for frame in frames:
                if frame.is_corrupt:
                    self.lost += 1
                else:
                    decoded += 1
                    yield frame

    def _count_truncated(self) -> int:
        """How many pictures a container's index places where the file has already ended."""
        if is_image_pattern(self._path):
            return 0
        size = self._path.stat().st_size
        entries = self._stream.index_entries
        return sum(entry.pos + entry.size > size for entry in entries if not entry.is_discard)

    def _flush(self, errors: tuple[type[Exception], ...]) -> list[Any]:
        """What the decoder still holds."""
        try:
            return [one for one in self._stream.codec_context.decode(None) if not one.is_corrupt]
        except errors:
            return []

    def frames(self) -> Iterator[TimedFrame]:
        """Pictures with their times, as shown."""
        start, last, step = None, 0.0, 1 / self.fps
        for frame in self._deinterlaced():
            time = frame.time
            if start is None:
                start = time or 0.0
                seconds = 0.0
            else:
                seconds = last + step if time is None else max(time - start, last)
            last = seconds
            if seconds > MAX_VIDEO_SECONDS:
                raise InputError(f"{self._path}: a time stamp of {seconds:.3g} seconds; repair it")
            yield TimedFrame(self._to_bgr(frame), seconds)

    def _all_decoded(self) -> Iterator[Any]:
        first, self._first = self._first, None
        if first is not None:
            yield first
        for frame in self._decoded:
            if (frame.width, frame.height) != self._size:
                frame = frame.reformat(*self._size)
            yield frame

    def _deinterlaced(self) -> Iterator[Any]:
        """Frames; from the first interlaced one on they go through a deinterlacer."""
        for frame in self._all_decoded():
            if self._deinterlacer is None and not frame.interlaced_frame:
                yield frame
                continue
            if self._deinterlacer is None:
                self._deinterlacer = filter_chain(frame, self._threads, DEINTERLACING)
            self._deinterlacer.push(frame)
            yield from self._pulled()
        if self._deinterlacer is not None:
            self._deinterlacer.push(None)
            yield from self._pulled()

    def _pulled(self) -> Iterator[Any]:
        import av

        while True:
            try:
                yield self._deinterlacer.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return

    def _to_bgr(self, frame: Any) -> np.ndarray:
        """The picture that a player shows, uint8 (H, W, 3) BGR."""
        if self._hdr:
            picture = tone_map(self._pixels(frame, "rgb48le"), frame.color_trc)
        elif self._alpha:
            picture = over_black(self._pixels(frame, "bgra"))
        else:
            picture = self._pixels(frame, "bgr24")
        if self._stored_size != self._size:
            picture = cv2.resize(picture, self._stored_size, interpolation=cv2.INTER_CUBIC)
        return self._orientation.apply(picture)

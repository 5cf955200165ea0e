"""What the tool accepts at most, so that no file can take the machine or end a run."""

MIN_FPS, MAX_FPS = 0.1, 1000.0  # frames a second; anything else is no frame rate
MAX_HEADER_NAME = 255  # characters of a video's name in a header

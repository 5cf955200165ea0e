"""Limits on what is accepted, so that no input can exhaust the machine or end a run."""

MIN_FPS, MAX_FPS = 0.1, 1000.0  # frames per second; anything else is no frame rate
MAX_FACES = 16  # followed at the same time, unless the user says otherwise
MAX_HEADER_NAME = 255  # characters of a video's name in a header
MAX_MEGAPIXELS = 36.0  # of a frame as it is shown, unless the user says otherwise; 8K has 33
MAX_VIDEO_SECONDS = 1e7  # of a time stamp: four months
MAX_FILE_NAME = 255  # bytes
MAX_DOWNLOAD_BYTES = 1 << 30  # of a file whose size is not known before
SLOWEST_DOWNLOAD = 10_000  # bytes a second, in the mean, after the first minute
MAX_WEIGHT_BYTES = 64 << 20  # of all arrays in a file of weights; the largest published has 2 MB
MAX_WEIGHT_ITEMS = 10_000  # arrays and groups in a file of weights
MAX_PRECOMPUTED_GAP = 5_000  # frames that a table of landmarks may leave out
MAX_CREDENTIAL_TEXT = 200  # characters of what content credentials claim
MAX_UPLOAD_BYTES = 2 << 30  # of a file sent to the local page, unless the user says otherwise
MAX_JOBS = 2_000  # that the local page knows, waiting ones and finished ones
STALLED_SECONDS = 600.0  # without progress, after which a job of the local page is given up
MAX_PREVIEW_SECONDS = 600.0  # of the preview in a video's page
INLINE_PREVIEW_BYTES = 4 << 20  # of a preview that lies within its page, not beside it
REPORT_SECONDS = 900.0  # that reading a video for its page may take

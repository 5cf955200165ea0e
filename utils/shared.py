"""Constants that several modules share. Nothing here changes at run time."""

VERSION = "1.13.0"  # of this program

# Landmarks: the 68 points of iBUG 300-W, numbered from 0 as in its annotation scheme.
LANDMARKS = 68
VALUES_PER_FRAME = 2 * LANDMARKS  # x0 y0 ... x67 y67, one line of a landmark file

# Subject's right eye is on the left of the picture. Six points each.
RIGHT_EYE = slice(36, 42)
LEFT_EYE = slice(42, 48)

# For landmark i of a mirrored face, the landmark it was before the mirror.
MIRRORED_LANDMARKS = (
    *range(16, -1, -1),  # jaw
    *range(26, 16, -1),  # eyebrows
    *range(27, 31),  # bridge of the nose
    *range(35, 30, -1),  # nostrils
    *(45, 44, 43, 42, 47, 46),  # right eye
    *(39, 38, 37, 36, 41, 40),  # left eye
    *range(54, 47, -1),  # outer lip, upper
    *range(59, 54, -1),  # outer lip, lower
    *range(64, 59, -1),  # inner lip, upper
    *range(67, 64, -1),  # inner lip, lower
)

# The calibrated face: a square crop of this many pixels (LRNet's `face_size_normalized`).
CROP_PIXELS = 400
CROP_CENTRE = CROP_PIXELS // 2  # normalized = (pixels - CROP_CENTRE) / CROP_CENTRE

# Of the distance between the eyes: what moves less is a still picture. Measured over a second:
# photographs 0.0002 to 0.0008; in tracks of real faces only frozen pictures lie below 0.0014.
STILL_THRESHOLD = 0.001
# The same of `utils.rigid_motion.liveliness`: what has less may be a photograph that is filmed by
# hand, panned, turned or zoomed. Measured: 20 such, by MediaPipe 0.0007 to 0.0050, by dlib 0.0024
# to 0.0095 (two above 0.007); of the training material's 876 tracks four lie below.
LIVENESS_THRESHOLD = 0.007

# Landmark formats (`utils.landmark_files.formats`), and what a weight set says that reads both.
NORMALIZED, ALIGNED = "normalized", "aligned"
FORMATS = (NORMALIZED, ALIGNED)
ANY_FORMAT = "any"

# Scores: 0 = real, 1 = fake.
FAKE_THRESHOLD = 0.5
# How a video's score is made of its clips': the share that are called fake, their mean, or the
# evidence for its most likely family of fakes.
SCORES = ("vote", "mean", "evidence")
FAMILIES = ("swap", "reenactment", "lip-sync", "talking head")  # of fakes, an output each

# The names of `--fd` and `--ld`.
FACE_DETECTORS = ("blazeface", "retinaface", "dlib")
LANDMARK_DETECTORS = ("fan", "mediapipe", "dlib")
CALIBRATIONS = ("published", "none")

PRECISIONS = ("fp32", "bf16")  # what FAN computes in
VIDEO_FORMATS = ("avi", "mp4")  # of drawn videos

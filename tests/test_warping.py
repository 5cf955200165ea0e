import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.warping import warp_square

FRAME = cv2.GaussianBlur(
    np.random.default_rng(1).integers(0, 256, (90, 140, 3), dtype=np.uint8), (0, 0), 2
)


@given(
    st.floats(-200, 300), st.floats(-200, 300), st.floats(0.05, 6), st.floats(-3.2, 3.2),
    st.sampled_from([cv2.BORDER_CONSTANT, cv2.BORDER_REPLICATE]),
)  # fmt: skip
def test_a_square_is_what_opencv_cuts_from_three_channels(x, y, scale, turn, border):
    cos, sin = scale * np.cos(turn), scale * np.sin(turn)
    into_frame = np.array([[cos, -sin, x], [sin, cos, y]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    expected = cv2.warpAffine(FRAME, into_frame, (24, 24), flags=flags, borderMode=border)
    found = warp_square(FRAME, into_frame, 24, border)[..., :3]
    assert np.abs(found.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("at", [(-1e6, -1e6), (1e6, 1e6), (-1e6, 1e6)])
def test_a_square_far_outside_of_the_frame_is_black(at):
    into_frame = np.array([[1.0, 0, at[0]], [0, 1, at[1]]])
    assert not warp_square(FRAME, into_frame, 8)[..., :3].any()

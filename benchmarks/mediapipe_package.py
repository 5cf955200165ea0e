#!/usr/bin/env python3
"""The package `mediapipe` on one video, for comparison: decode and FaceLandmarker in video mode.

Runs in an environment of its own, which has that package and OpenCV:

    python3 -m venv /tmp/mediapipe && /tmp/mediapipe/bin/pip install mediapipe
    /tmp/mediapipe/bin/python benchmarks/mediapipe_package.py face_landmarker.task video.mp4
"""

from __future__ import annotations

import json
import sys
import time

import cv2
import mediapipe


def main(task: str, video: str) -> None:
    vision = mediapipe.tasks.vision
    options = vision.FaceLandmarkerOptions(
        base_options=mediapipe.tasks.BaseOptions(model_asset_path=task),
        running_mode=vision.RunningMode.VIDEO,
    )
    with vision.FaceLandmarker.create_from_options(options) as landmarker:
        capture, frames, found = cv2.VideoCapture(video), 0, 0
        start = time.perf_counter()
        while True:
            ok, frame = capture.read()
            if not ok:
                break
            picture = mediapipe.Image(
                image_format=mediapipe.ImageFormat.SRGB,
                data=cv2.cvtColor(frame, cv2.COLOR_BGR2RGB),
            )
            result = landmarker.detect_for_video(picture, 40 * frames)
            frames += 1
            found += bool(result.face_landmarks)
        seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "units": frames, "with_face": found}))


if __name__ == "__main__":
    main(*sys.argv[1:])

"""The library that `extract_landmarks.py` and `classify.py` share."""

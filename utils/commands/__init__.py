"""Command-line interfaces of `extract_landmarks.py` and `classify.py`."""

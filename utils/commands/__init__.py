"""The command lines: what `extract_landmarks.py` and `classify.py` run."""

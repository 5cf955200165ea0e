"""Video decoding, shot detection and writing."""

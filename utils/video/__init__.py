"""Videos: frames in, pictures out."""

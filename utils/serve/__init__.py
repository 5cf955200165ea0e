"""The local page: drop a video, watch its progress, read its report; and the same over JSON."""

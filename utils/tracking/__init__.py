"""Which face is whose, through a video."""

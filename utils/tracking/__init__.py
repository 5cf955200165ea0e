"""Face tracking and re-identification."""

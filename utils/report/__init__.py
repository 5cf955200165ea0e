"""The forms in which results leave."""

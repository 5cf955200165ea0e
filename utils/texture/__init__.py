"""The third stream: how the texture of a face changes, and what a network sees in it."""

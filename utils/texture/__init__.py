"""The third stream: how the texture of a face changes from frame to frame."""

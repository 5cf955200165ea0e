"""The work of both scripts, file by file."""

"""Worker processes and Ray: where the work on many videos runs."""

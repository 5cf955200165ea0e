"""Worker processes and Ray: where the work of many videos runs, chosen by the command line."""

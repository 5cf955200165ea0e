"""Runs: extraction, classification and the Python API."""

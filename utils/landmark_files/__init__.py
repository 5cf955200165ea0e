"""Landmark files and formats."""

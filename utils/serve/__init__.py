"""The local web page, and the same over JSON."""

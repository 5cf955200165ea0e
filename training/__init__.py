"""How the bundled weights were made, and how to make others."""

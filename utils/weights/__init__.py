"""Weight sets and detector models: the manifest, downloads, and readers."""

"""Weight sets and detector models: which there are, and where they are found."""

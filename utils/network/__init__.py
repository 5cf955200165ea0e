"""The two-stream network and its inputs."""

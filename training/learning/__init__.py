"""Training of networks, for any task."""

"""The runtime of trained networks, whatever their task."""

"""A run as the console shows it: read from a store piece by piece, and answered window by window."""

"""Shared by every layer: errors, files, progress bars, digests, parameter files, HTML pieces."""

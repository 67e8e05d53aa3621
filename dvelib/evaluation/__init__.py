"""Measuring descriptors: errors of matching and of landmarks, and their intervals."""

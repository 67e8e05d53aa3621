"""What every layer uses: errors, files, progress bars, digests, parameter files, HTML pieces."""

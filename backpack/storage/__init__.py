"""Files and folders as the archive needs them, behind a small protocol: the only place that touches the disk."""

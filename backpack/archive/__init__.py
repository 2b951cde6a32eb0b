"""The archive: every commit on disk, as a log while it is new and as compressed segments for good."""

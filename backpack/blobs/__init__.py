"""The bytes of large values: one file a content, named by its hash, compressed, readable in slices."""

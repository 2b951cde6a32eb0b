"""What users hold: the store, its snapshots, nodes and transactions."""

"""The demo: an agent run, replayed node by node into a Backpack, with everything checked against its messages."""

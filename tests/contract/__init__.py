"""Acceptance tests of the public contract: they know its words and nothing of what is behind them."""

"""The `qm` command, also `kubectl qm`: what the operator knows, at a terminal."""

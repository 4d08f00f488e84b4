"""From nothing to an answering model: what `make demo` and the end-to-end tests share."""

"""Pure: decide; from a resolved model and what exists to a plan, as data with reasons."""

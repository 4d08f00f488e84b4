"""Pure: everything learned in one reconcile, as status and Events."""

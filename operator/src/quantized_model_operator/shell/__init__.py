"""I/O: triggers, the work queue, health and the run of the process; the only importer of kopf."""

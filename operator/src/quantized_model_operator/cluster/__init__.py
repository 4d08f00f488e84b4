"""I/O: the only importer of the Kubernetes client and of any HTTP client."""

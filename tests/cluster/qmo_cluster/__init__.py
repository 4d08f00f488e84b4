"""A real Kubernetes on this machine for tests and the demo, built from pinned Go modules.

`python3 -m qmo_cluster up` builds the programs once, starts them as ordinary processes and writes
a kubeconfig. Everything a cluster owns hangs on one state folder, so that it can be cleaned
afterwards, even when its processes were killed from outside. Standard library only: the system's
Python runs it.
"""

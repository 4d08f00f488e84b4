"""A small hub: serves folders of repositories to the real huggingface_hub client.

As a library: ``Hub(root)``, then ``await hub.start(host, port)`` and ``await hub.stop()``, or
``with running_hub(root) as hub`` in a thread of its own.
As a command: ``python -m hub --root DIR --host ADDRESS --port N``, with ``tests`` as import path.
"""

from hub.faults import Faults
from hub.in_thread import running_hub
from hub.server import Access, Hub

__all__ = ["Access", "Faults", "Hub", "running_hub"]

"""Pure: the objects of the in-memory cluster, with the owners of their fields."""

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from quantized_model_operator.cluster.field_ownership import OwnedDocument
from quantized_model_operator.domain.child_objects import Manifest, key_of
from quantized_model_operator.domain.cluster_state import ObjectKey


@dataclass(slots=True)
class StoredObject:
    """What managers applied, and what the server adds: uid, creation and status."""

    owned: OwnedDocument
    server: dict[str, Any]

    @property
    def uid(self) -> str:
        """Given by the server."""
        return str(self.server["metadata"]["uid"])

    @property
    def controller_uid(self) -> str:
        """Uid of the controlling owner; empty without one."""
        owners = self.owned.document()["metadata"].get("ownerReferences") or ()
        return next((str(owner["uid"]) for owner in owners if owner.get("controller")), "")

    def label(self, name: str) -> str:
        """Value of a label; empty without it."""
        return str((self.owned.document()["metadata"].get("labels") or {}).get(name, ""))

    def body(self) -> dict[str, Any]:
        """The object as the server would answer."""
        document = copy.deepcopy(self.owned.document())
        document["metadata"] |= self.server["metadata"]
        if "status" in self.server:
            document["status"] = copy.deepcopy(self.server["status"])
        return document


class ObjectStore:
    """Objects by namespace, kind and name."""

    def __init__(self, server_metadata: Callable[[], dict[str, Any]]) -> None:
        """``server_metadata`` gives uid and creation time of a new object."""
        self._server_metadata = server_metadata
        self._objects: dict[tuple[str, ObjectKey], StoredObject] = {}

    def find(self, namespace: str, key: ObjectKey) -> StoredObject | None:
        """The object of this name."""
        return self._objects.get((namespace, key))

    def get(self, namespace: str, key: ObjectKey) -> StoredObject:
        """The object of this name; ``KeyError``."""
        return self._objects[namespace, key]

    def of_namespace(self, namespace: str) -> Iterator[tuple[ObjectKey, StoredObject]]:
        """All objects of a namespace, by kind and name."""
        for (of_namespace, key), stored in sorted(self._objects.items(), key=lambda item: item[0]):
            if of_namespace == namespace:
                yield key, stored

    def apply(self, namespace: str, manifest: Manifest, manager: str) -> None:
        """Apply with force; a status is taken as the server's."""
        stored = self._objects.setdefault(
            (namespace, key_of(manifest)),
            StoredObject(OwnedDocument(), {"metadata": self._server_metadata()}),
        )
        desired = {name: item for name, item in manifest.items() if name != "status"}
        stored.owned.apply(copy.deepcopy(desired), manager)
        if "status" in manifest:
            self.set_status(namespace, key_of(manifest), manifest["status"])

    def set_status(self, namespace: str, key: ObjectKey, status: Mapping[str, Any]) -> None:
        """Replace the status; ``KeyError``."""
        self._objects[namespace, key].server["status"] = copy.deepcopy(dict(status))

    def delete(self, namespace: str, key: ObjectKey) -> None:
        """Delete one object; ``KeyError``."""
        del self._objects[namespace, key]

    def collect(self, owner_uid: str) -> None:
        """Delete everything whose controller has this uid, as the garbage collector does."""
        owned = [item for item, found in self._objects.items() if found.controller_uid == owner_uid]
        for item in owned:
            del self._objects[item]

"""Pure: the kinds the operator reads and writes, their paths, selectors and field managers."""

from dataclasses import dataclass

from quantized_model_operator.domain.well_known import (
    GROUP,
    MANAGED_BY,
    MANAGED_BY_LABEL,
    RECORD_LABEL,
)

MANAGER = "quantized-model-operator"
"""Field manager of children and records."""
STATUS_MANAGER = "quantized-model-operator-status"

APPLIED_ANNOTATION = f"{GROUP}/applied"
"""sha256 of what was rendered, so that a field that is no longer rendered is noticed."""

MANAGED_SELECTOR = f"{MANAGED_BY_LABEL}={MANAGED_BY}"
RECORD_SELECTOR = f"{MANAGED_SELECTOR},{RECORD_LABEL}=inspection"


@dataclass(frozen=True, slots=True)
class Resource:
    """Where a kind lives in the API."""

    kind: str
    api_version: str
    plural: str
    namespaced: bool = True

    def collection(self, namespace: str = "") -> str:
        """Path of all objects, of one namespace when it is given."""
        root = "/apis" if "/" in self.api_version else "/api"
        scope = f"/namespaces/{namespace}" if namespace and self.namespaced else ""
        return f"{root}/{self.api_version}{scope}/{self.plural}"

    def path(self, namespace: str, name: str) -> str:
        """Path of one object."""
        return f"{self.collection(namespace)}/{name}"


MODEL = Resource("QuantizedModel", f"{GROUP}/v1alpha1", "quantizedmodels")
DEPLOYMENT = Resource("Deployment", "apps/v1", "deployments")
SERVICE = Resource("Service", "v1", "services")
JOB = Resource("Job", "batch/v1", "jobs")
CONFIG_MAP = Resource("ConfigMap", "v1", "configmaps")
POD = Resource("Pod", "v1", "pods")
CLAIM = Resource("PersistentVolumeClaim", "v1", "persistentvolumeclaims")
NODE = Resource("Node", "v1", "nodes", namespaced=False)
LEASE = Resource("Lease", "coordination.k8s.io/v1", "leases")
EVENT = Resource("Event", "v1", "events")

CHILDREN = (DEPLOYMENT, SERVICE, JOB)
"""Kinds whose controller is a model."""
APPLIED = {resource.kind: resource for resource in (CONFIG_MAP, JOB, DEPLOYMENT, SERVICE)}
"""Kinds that may appear among the desired objects, by kind."""

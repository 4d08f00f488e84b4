"""Pure: pods as a kubelet and the Job controller would make them, for the in-memory cluster."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from quantized_model_operator.cluster.parsing import pod_from
from quantized_model_operator.domain.cluster_state import ObservedPod
from quantized_model_operator.domain.timestamps import format_time


def finished_pod(
    job: Mapping[str, Any], uid: str, message: str, exit_code: int, now: datetime
) -> ObservedPod:
    """The only pod of a finished Job; each container left ``message``."""
    metadata, template = job["metadata"], job["spec"]["template"]
    end = {
        "exitCode": exit_code,
        "reason": "Error" if exit_code else "Completed",
        "message": message,
        "finishedAt": format_time(now),
    }
    names = [container["name"] for container in template["spec"]["containers"]]
    return pod_from(
        {
            "metadata": {
                "name": f"{metadata['name']}-{uid[-5:]}",
                "uid": uid,
                "labels": (template.get("metadata") or {}).get("labels") or {},
                "creationTimestamp": format_time(now),
                "ownerReferences": [
                    {
                        "kind": "Job",
                        "name": metadata["name"],
                        "uid": metadata["uid"],
                        "controller": True,
                    }
                ],
            },
            "spec": {"containers": [{"name": name} for name in names], "nodeName": "node-a"},
            "status": {
                "phase": "Failed" if exit_code else "Succeeded",
                "containerStatuses": [
                    {"name": name, "restartCount": 0, "state": {"terminated": end}}
                    for name in names
                ],
            },
        }
    )

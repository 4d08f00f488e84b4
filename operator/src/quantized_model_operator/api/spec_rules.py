"""Pure: CEL rules over several fields, which the API server checks when a model is written."""

from quantized_model_operator.api.schema_types import SERVICE_NAME, cel, validations

SPEC_VALIDATIONS = validations(
    cel(
        "self.model.uri.startsWith('hf://') || !has(self.cache)",
        "spec.cache is for hf:// sources; a pvc:// source is served from its own claim",
    ),
    cel(
        "self.model.uri.startsWith('hf://') || self.model.revision == 'main'",
        "spec.model.revision is for hf:// sources; for pvc:// name another path",
    ),
    cel(
        "self.model.uri.startsWith('hf://') || !has(self.model.tokenSecretRef)",
        "spec.model.tokenSecretRef is for hf:// sources",
    ),
    cel(
        "!self.model.uri.matches('/[.][.]?(/|$)')",
        "spec.model.uri must not have . or .. as a part of its path",
    ),
    cel(
        "!has(self.hardware) || self.hardware.device != 'CPU' || "
        "(!has(self.hardware.gpusPerReplica) && !has(self.hardware.products))",
        "spec.hardware.gpusPerReplica and products are for device GPU",
    ),
    cel(
        "!has(self.hardware) || self.hardware.device != 'CPU' || !has(self.engine) || "
        "!has(self.engine.gpuMemoryUtilization)",
        "spec.engine.gpuMemoryUtilization is for device GPU; on CPU set spec.hardware.memory",
    ),
    cel(
        "!has(self.cache) || [has(self.cache.claimName), has(self.cache.size), "
        "has(self.cache.hostPath)].filter(set, set).size() == 1",
        "spec.cache needs exactly one of claimName, size and hostPath",
    ),
    cel(
        "!has(self.cache) || !has(self.cache.storageClassName) || has(self.cache.size)",
        "spec.cache.storageClassName needs spec.cache.size",
    ),
    cel(
        "!has(self.cache) || !has(self.cache.hostPath) || "
        "!self.cache.hostPath.matches('/[.][.](/|$)')",
        "spec.cache.hostPath must not have .. as a part",
    ),
)
"""Rules of the API server over several fields of the spec."""

NAME_VALIDATION = cel(
    "self.metadata.name.size() <= 45 && self.metadata.name.matches('" + SERVICE_NAME + "')",
    "metadata.name must begin with a letter and have at most 45 lower-case letters, digits and "
    "'-', because the names of the Service, the Deployment and the Jobs are made from it",
)
"""Rule of the API server on the resource itself."""

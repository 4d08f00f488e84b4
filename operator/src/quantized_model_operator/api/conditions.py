"""Pure: condition types and reasons, each with the sentence that says when it holds.

The tables feed the API reference; ``report`` uses no reason that is missing here.
"""

from enum import StrEnum


class ConditionType(StrEnum):
    """Aspects of a model's state; positive, except the two that appear only while true."""

    READY = "Ready"
    INSPECTED = "Inspected"
    PLANNED = "Planned"
    WEIGHTS_READY = "WeightsReady"
    AVAILABLE = "Available"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"


CONDITION_TYPES: dict[ConditionType, str] = {
    ConditionType.READY: "vLLM answered a request for this spec on every wanted replica; also "
    "true when no replica is wanted.",
    ConditionType.INSPECTED: "The checkpoint was read and may be served.",
    ConditionType.PLANNED: "There is a plan for this spec that fits.",
    ConditionType.WEIGHTS_READY: "The weights are where the replicas read them, and their digests "
    "are right; Unknown where no digests exist.",
    ConditionType.AVAILABLE: "At least one replica answers, of this spec or of the one before.",
    ConditionType.RECONCILING: "Work is going on; absent otherwise.",
    ConditionType.STALLED: "Nothing more happens until somebody changes something; absent "
    "otherwise.",
}


REASONS: dict[str, str] = {
    # Ready
    "Answering": "All wanted replicas answer requests for this spec.",
    "ScaledToZero": "No replica is wanted.",
    "Suspended": "spec.suspended is true.",
    "Starting": "Replicas are being started; vLLM has not answered yet.",
    "RollingOut": "Replicas of this spec replace those of the one before, which still answer.",
    "Scaling": "Fewer replicas answer than are wanted; the others are being started.",
    # Inspection
    "Inspecting": "The checkpoint is being read.",
    "Inspected": "The checkpoint was read and may be served.",
    "InspectionFailed": "The inspection ended without a verdict; it is tried again.",
    "SourceUnreachable": "The hub could not be reached; it is tried again.",
    "ClaimNotFound": "A PersistentVolumeClaim that the spec names does not exist.",
    "PathMissing": "The path in the claim does not exist.",
    "ConfigMissing": "The checkpoint has no config.json.",
    "ConfigInvalid": "config.json is no valid description of a model.",
    "NotGptq": "The checkpoint is not quantised with GPTQ.",
    "QuantizationIncomplete": "config.json lacks a key of the quantisation.",
    "UnsupportedBits": "vLLM serves 4 and 8 bits only.",
    "UnsupportedGroupSize": "vLLM serves group sizes -1, 32, 64 and 128 only.",
    "UnsupportedSymmetry": "vLLM serves symmetric quantisation only.",
    "UnsupportedActOrder": "This vLLM does not serve act-order with groups.",
    "WeightsMissing": "The checkpoint has no safetensors files.",
    "ShardMissing": "A weight file of the index is missing.",
    "ShardTruncated": "A weight file is shorter or longer than its header says.",
    "ShardDamaged": "The header of a weight file cannot be read.",
    "TensorMissing": "A tensor of the checkpoint is missing.",
    "ShapesDisagree": "Tensor shapes contradict the declared quantisation.",
    "UnknownArchitecture": "This vLLM does not know the type of the model.",
    "TokenizerMissing": "The checkpoint has no tokenizer.",
    "TokenMissing": "The Secret or key named by spec.model.tokenSecretRef does not exist.",
    "TokenRefused": "The hub refused the access token, or none was given for a gated repository.",
    "CheckpointNotFound": "The hub has no such repository, or the token may not see it.",
    "RevisionNotFound": "The repository has no such revision.",
    # Weights
    "Fetching": "The weights are being fetched.",
    "Fetched": "All files are there and their digests are those of the hub.",
    "DigestsVerified": "The digests of all files are those of the manifest in the claim.",
    "IntegrityUnverified": "The claim has no manifest of digests, so damage inside the weights "
    "cannot be seen.",
    "FetchFailed": "Fetching ended with an error; it is tried again.",
    "DigestMismatch": "A file does not have the digest that the hub states.",
    "DiskFull": "The cache volume is too small.",
    # Planning
    "Planned": "There is a plan for this spec that fits.",
    "InvalidSpec": "A field of the spec has a value that cannot work.",
    "OwnedArgument": "An entry of spec.engine.args is a flag that the operator sets itself.",
    "InvalidArgument": "An entry of spec.engine.args is none that this vLLM accepts.",
    "NoKernel": "No kernel of this vLLM takes the shapes of the model on this hardware.",
    "ModelLengthTooLong": "spec.engine.maxModelLen is more than the model or the memory allows.",
    "KvCacheDtypeUnsupported": "This data type of the KV cache does not work with this hardware.",
    "DtypeUnsupported": "This data type does not work with this hardware.",
    "UnsupportedOnCpu": "vLLM serves 4-bit checkpoints only on CPU.",
    "UnsupportedAccelerator": "vLLM does not serve GPTQ on this accelerator.",
    "ComputeCapabilityTooLow": "vLLM serves GPTQ on compute capability 7.5 and above only.",
    "IllegalTensorParallelSize": "The model cannot be split over this many GPUs.",
    "NotEnoughGpus": "No node has as many GPUs as a replica needs.",
    "InsufficientGpuMemory": "The model does not fit into the memory of the GPUs.",
    "InsufficientMemory": "The model does not fit into spec.hardware.memory.",
    "NoAcceleratorInSight": "No node offers a GPU that fits, and no known product is named.",
    "ObjectRefused": "The API server does not take an object that the model needs: it is not "
    "valid, a quota is used up, or an admission rule forbids it. It is tried again.",
    "NameTaken": "An object with the name of this model exists and belongs to somebody else.",
    # Running
    "ImagePullFailed": "The image of a container cannot be pulled.",
    "Unschedulable": "No node has room for a replica.",
    "OutOfMemory": "A container used more memory than its limit and was killed.",
    "EngineFailed": "vLLM ended with an error that is not in the table of causes; it is quoted.",
    "EngineDied": "vLLM ended by itself after it had started.",
    "StartupTimedOut": "vLLM did not answer within the time that it has to start.",
    "GpuMemoryTaken": "Others hold memory of the GPU; it is tried again.",
    "ProcessorUnsupported": "The processor does not run an instruction that vLLM uses.",
    "ImageUnsuited": "The image lacks something that vLLM needs.",
    "AnswersDamaged": "vLLM started, but its answer to the first request was not sane.",
    "ContainerFailed": "A container of the pod cannot run.",
    "Evicted": "The node evicted the pod.",
    "PodNotPrepared": "The kubelet cannot mount a volume of a pod, or make its network.",
    "NodeLost": "The node of a pod no longer reports.",
    "EngineDiffersFromPlan": "vLLM serves, and reports something else than was planned.",
    "DeadlineExceeded": "The rollout made no progress within its deadline.",
}
"""Every reason that a condition, a failure or an Event can carry."""

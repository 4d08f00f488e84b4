"""Pure: texts of vLLM about the checkpoint, and what they mean.

Where the inspection sees the same, the reason is the same; these are for what passed it: a claim
that changed since, a version of one's own, or a rule that this operator does not know.
"""

from quantized_model_operator.domain.failure_cause import FailureCause
from quantized_model_operator.domain.failure_remedies import act_order_version, without_flags

_AGAIN = "export the checkpoint again with a current GPTQModel"
_FETCH = "fetch the files again or point spec.model.uri at an intact copy"

CHECKPOINT_CAUSES = (
    FailureCause(
        id="quantization-key-missing",
        area="Checkpoint",
        text="ValueError: Cannot find any of ['bits'] in the model's quantization config.",
        pattern=r"Cannot find any of \['(?P<key>[^']+)'",
        reason="QuantizationIncomplete",
        sentence=f"spec.model.uri: config.json says nothing of {{key}}; {_AGAIN}",
        source="vLLM 0.20.2 to 0.33.0 quantization/base_config.py, 2026-11",
    ),
    FailureCause(
        id="quantization-config-missing",
        area="Checkpoint",
        text="ValueError: Cannot find the config file for gptq",
        pattern=r"Cannot find the config file for (?P<method>\w+)",
        reason="QuantizationIncomplete",
        sentence="spec.model.uri: the checkpoint has no quantization_config for {method}; add it "
        f"to config.json or {_AGAIN}",
        source="vLLM 0.33.0 model_executor/model_loader/weight_utils.py, 2026-11",
    ),
    FailureCause(
        id="bits-unsupported",
        area="Checkpoint",
        text="ValueError: Unsupported quantization config: bits=3, sym=True",
        pattern=r"Unsupported quantization config: "
        r"bits=(?P<bits>(?![48], sym=False)\d+), sym=",
        reason="UnsupportedBits",
        sentence="spec.model.uri: the checkpoint has {bits} bits, and vLLM serves 4 and 8 only; "
        "quantise the model again with bits 4 or 8 and sym true",
        source="vLLM 0.22.1 to 0.33.0 auto_gptq.py (TYPE_MAP); seen with 0.32.0, 2026-11",
    ),
    FailureCause(
        id="symmetry-unsupported",
        area="Checkpoint",
        text="ValueError: Unsupported quantization config: bits=4, sym=False",
        pattern=r"Unsupported quantization config: bits=[48], sym=False",
        reason="UnsupportedSymmetry",
        sentence="spec.model.uri: the checkpoint is quantised with sym false, and vLLM serves "
        "symmetric quantisation only; quantise the model again with sym true",
        source="vLLM 0.22.1 to 0.33.0 auto_gptq.py (TYPE_MAP); seen with 0.32.0, 2026-11",
    ),
    FailureCause(
        id="method-contradicted",
        area="Checkpoint",
        text="ValueError: Quantization method specified in the model config (gptq) does not match "
        "the quantization method specified in the `quantization` argument (awq).",
        pattern=r"Quantization method specified in the model config \((?P<own>\w+)\) "
        r"does not match .*\((?P<given>\w+)\)",
        reason="InvalidArgument",
        sentence="spec.engine.args: --quantization {given} contradicts the checkpoint, which is "
        "{own}; remove it, vLLM reads the method from config.json",
        source="vLLM 0.20.2 to 0.33.0 config/model.py; seen with 0.32.0, 2026-11",
        remedy=without_flags("--quantization", "-q"),
    ),
    FailureCause(
        id="method-unknown",
        area="Checkpoint",
        text="ValueError: Unknown quantization method: foo. Must be one of ['awq', 'gptq'].",
        pattern=r"Unknown quantization method: (?P<method>\S+?)\. Must be one of",
        reason="NotGptq",
        sentence="spec.model.uri: config.json names the quantisation method {method}, which this "
        "vLLM does not know; correct quant_method, or set spec.engine.version to one that knows "
        "it",
        source="vLLM 0.20.2 to 0.33.0 layers/quantization/__init__.py; seen with 0.32.0, 2026-11",
    ),
    FailureCause(
        id="act-order-unsupported",
        area="Checkpoint",
        text="ValueError: GPTQ group activation ordering (desc_act=True) is no longer supported. "
        "Use a checkpoint with static activation ordering or desc_act=False.",
        pattern=r"GPTQ group activation ordering \(desc_act=True\) is no longer supported",
        reason="UnsupportedActOrder",
        sentence="spec.engine.version: this vLLM serves no act-order (desc_act) with groups; "
        "quantise the model again with desc_act false, or set the version to 0.29.0",
        source="vLLM 0.30.0 to 0.33.0 quantization/utils/gptq_utils.py; seen with 0.32.0, 2026-11",
        remedy=act_order_version,
    ),
    FailureCause(
        id="group-size-unsupported",
        area="Checkpoint",
        text="ValueError: Marlin does not support group_size = 16. Only group_sizes = "
        "[-1, 32, 64, 128] are supported.",
        pattern=r"Marlin does not support group_size = (?P<group>-?\d+)",
        reason="UnsupportedGroupSize",
        sentence="spec.model.uri: the checkpoint has group size {group}, and vLLM serves -1, 32, "
        "64 and 128; quantise the model again with group size 128",
        source="vLLM 0.20.2 to 0.33.0 quantization/utils/marlin_utils.py, 2026-11",
    ),
    FailureCause(
        id="fused-layer-mixed",
        area="Checkpoint",
        text="ValueError: Detected some but not all shards of model.layers.0.self_attn.qkv_proj "
        "are quantized. All shards of fused layers to have the same precision.",
        pattern=r"Detected some but not all shards of (?P<layer>\S+) are quantized",
        reason="ShapesDisagree",
        sentence="spec.model.uri: only a part of {layer} is quantised; mend the dynamic rules or "
        "the module list of config.json: q, k and v together, gate and up together",
        source="vLLM 0.20.2 to 0.33.0 quantization/utils/gptq_utils.py, 2026-11",
    ),
    FailureCause(
        id="weight-file-cut",
        area="Checkpoint",
        text="safetensors_rust.SafetensorError: Error while deserializing header: incomplete "
        "metadata, file not fully covered",
        pattern=r"incomplete metadata, file not fully covered",
        reason="ShardTruncated",
        sentence=f"spec.model.uri: a weight file is shorter or longer than its header says; "
        f"{_FETCH}",
        source="our measurement with vLLM 0.32.0 on CPU, 2026-11",
    ),
    FailureCause(
        id="weight-file-empty",
        area="Checkpoint",
        text="struct.error: unpack requires a buffer of 8 bytes",
        pattern=r"struct\.error: unpack requires a buffer of 8 bytes",
        reason="ShardTruncated",
        sentence=f"spec.model.uri: a weight file is empty; {_FETCH}",
        source="our measurement with vLLM 0.32.0 on CPU, 2026-11",
    ),
    FailureCause(
        id="weight-file-header-damaged",
        area="Checkpoint",
        text="OverflowError: cannot fit 'int' into an index-sized integer",
        pattern=r"OverflowError: cannot fit 'int' into an index-sized integer",
        reason="ShardDamaged",
        sentence=f"spec.model.uri: the header of a weight file is damaged; {_FETCH}",
        source="our measurement with vLLM 0.32.0 on CPU, 2026-11",
    ),
    FailureCause(
        id="weights-missing",
        area="Checkpoint",
        text="RuntimeError: Cannot find any model weights with `/models/otter`",
        pattern=r"Cannot find any model weights with",
        reason="WeightsMissing",
        sentence=f"spec.model.uri: the folder has no safetensors files; {_FETCH}",
        source="our measurement with vLLM 0.32.0 on CPU, 2026-11",
    ),
    FailureCause(
        id="config-missing",
        area="Checkpoint",
        text="ValueError: Invalid repository ID or local directory specified: '/models/otter'.",
        pattern=r"Invalid repository ID or local directory specified:",
        reason="ConfigMissing",
        sentence=f"spec.model.uri: the folder has no config.json; {_FETCH}",
        source="our measurement with vLLM 0.32.0 on CPU, 2026-11",
    ),
    FailureCause(
        id="folder-missing",
        area="Checkpoint",
        text="huggingface_hub.errors.HFValidationError: Repo id must be in the form 'repo_name' or "
        "'namespace/repo_name': '/models/otter'.",
        pattern=r"Repo id must be in the form",
        reason="PathMissing",
        sentence="spec.model.uri: the folder does not exist in the volume; correct the path, or "
        "fill the claim",
        source="our measurement with vLLM 0.32.0 on CPU, 2026-11",
    ),
    FailureCause(
        id="snapshot-missing",
        area="Checkpoint",
        text="huggingface_hub.errors.LocalEntryNotFoundError: Cannot find an appropriate cached "
        "snapshot folder for the specified revision on the local disk.",
        pattern=r"Cannot find an appropriate cached snapshot folder",
        reason="CheckpointNotFound",
        sentence="spec.engine.args: vLLM looked for a repository of the hub while it is offline; "
        "name files by their path in the pod, and the model by spec.model.uri",
        source="our measurement with vLLM 0.32.0 on CPU, 2026-11",
    ),
    FailureCause(
        id="tensor-shape-differs",
        area="Checkpoint",
        text="assert self.data.shape == loaded_weight.shape",
        pattern=r"assert self\.data\.shape == loaded_weight\.shape",
        reason="ShapesDisagree",
        sentence="spec.model.uri: a tensor has another shape than config.json implies, as when "
        "bits is wrong; correct the quantisation in config.json to that of the weights",
        source="our measurement with vLLM 0.32.0 on CPU, 2026-11: 8-bit data as bits 4",
    ),
    FailureCause(
        id="group-count-differs",
        area="Checkpoint",
        text="RuntimeError: start (0) + length (8) exceeds dimension size (4).",
        pattern=r"start \(\d+\) \+ length \(\d+\) exceeds dimension size \(\d+\)",
        reason="ShapesDisagree",
        sentence="spec.model.uri: the scales have another number of groups than group_size in "
        "config.json implies; correct group_size to that of the weights",
        source="our measurement with vLLM 0.32.0 on CPU, 2026-11: group size 64 on data of 128",
    ),
    FailureCause(
        id="architecture-unknown",
        area="Checkpoint",
        text="ValueError: The checkpoint you are trying to load has model type `foo` but "
        "Transformers does not recognize this architecture.",
        pattern=r"has model type `(?P<type>[^`]+)` but Transformers does not recognize",
        reason="UnknownArchitecture",
        sentence="spec.engine.version: this vLLM does not know the model type {type}; set a newer "
        "version, or correct model_type in config.json",
        source="our measurement with vLLM 0.32.0 on CPU, 2026-11",
    ),
    FailureCause(
        id="tokenizer-missing",
        area="Checkpoint",
        text="ValueError: The decoder prompt cannot be empty",
        pattern=r"The decoder prompt cannot be empty",
        reason="TokenizerMissing",
        sentence="spec.model.uri: the checkpoint has no tokenizer, so every prompt is empty; add "
        "the tokenizer files of the original model",
        source="our measurement with vLLM 0.32.0 on CPU, 2026-11",
    ),
)

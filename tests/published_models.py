"""The numbers in config.json of published models, as their repositories on the hub state them.

Each carries its published number of parameters (the hub shows it, "safetensors parameters"), so
that a wrong number here shows at once. Keys that nothing reads are left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Config = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedModel:
    """One model: what its repository is called, its config.json, and its size."""

    repository: str
    config: Config
    parameters: int
    """Of the language model, counted as the hub does."""


def _config(
    architecture: str, model_type: str, sizes: tuple[int, int, int, int, int], **more: object
) -> Config:
    """``sizes``: hidden, intermediate, layers, heads, KV heads."""
    hidden, intermediate, layers, heads, kv_heads = sizes
    return {
        "architectures": [architecture],
        "model_type": model_type,
        "torch_dtype": "bfloat16",
        "hidden_size": hidden,
        "intermediate_size": intermediate,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "tie_word_embeddings": False,
        **more,
    }


def _qwen2(sizes: tuple[int, int, int, int, int], vocabulary: int, **more: object) -> Config:
    windows = {"use_sliding_window": False, "sliding_window": 131_072, "max_window_layers": 28}
    numbers = {"vocab_size": vocabulary, "max_position_embeddings": 32_768}
    return _config("Qwen2ForCausalLM", "qwen2", sizes, **{**windows, **numbers, **more})


def _qwen3(sizes: tuple[int, int, int, int, int], **more: object) -> Config:
    numbers = {"head_dim": 128, "vocab_size": 151_936, "max_position_embeddings": 40_960}
    return _config("Qwen3ForCausalLM", "qwen3", sizes, **{**numbers, **more})


def _llama(sizes: tuple[int, int, int, int, int], vocabulary: int, **more: object) -> Config:
    numbers = {"vocab_size": vocabulary, "max_position_embeddings": 131_072}
    return _config("LlamaForCausalLM", "llama", sizes, **{**numbers, **more})


def _gemma2(sizes: tuple[int, int, int, int, int], head_size: int) -> Config:
    numbers = {"vocab_size": 256_000, "max_position_embeddings": 8192, "sliding_window": 4096}
    made = _config("Gemma2ForCausalLM", "gemma2", sizes, head_dim=head_size, **numbers)
    del made["tie_word_embeddings"]  # the published files are silent, and it is true
    return made


def _phi3(sizes: tuple[int, int, int, int, int], vocabulary: int, **more: object) -> Config:
    return _config("Phi3ForCausalLM", "phi3", sizes, vocab_size=vocabulary, **more)


_LLAMA3_SCALING = {"rope_scaling": {"factor": 8.0, "rope_type": "llama3"}}
_SPARSE = {"decoder_sparse_step": 1, "mlp_only_layers": []}

_MODELS = (
    ("Qwen/Qwen2-7B-Instruct", _qwen2((3584, 18944, 28, 28, 4), 152_064), 7_615_616_512),
    (
        "Qwen/Qwen2.5-0.5B-Instruct",
        _qwen2((896, 4864, 24, 14, 2), 151_936, tie_word_embeddings=True),
        494_032_768,
    ),
    ("Qwen/Qwen2.5-14B-Instruct", _qwen2((5120, 13824, 48, 40, 8), 152_064), 14_770_033_664),
    ("Qwen/Qwen2.5-72B-Instruct", _qwen2((8192, 29568, 80, 64, 8), 152_064), 72_706_203_648),
    ("Qwen/Qwen3-4B", _qwen3((2560, 9728, 36, 32, 8), tie_word_embeddings=True), 4_022_468_096),
    ("Qwen/Qwen3-8B", _qwen3((4096, 12288, 36, 32, 8)), 8_190_735_360),
    ("Qwen/Qwen3-32B", _qwen3((5120, 25600, 64, 64, 8)), 32_762_123_264),
    (
        "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B",
        _qwen2((3584, 18944, 28, 28, 4), 152_064, max_position_embeddings=131_072),
        7_615_616_512,
    ),
    (
        "deepseek-ai/DeepSeek-R1-Distill-Llama-8B",
        _llama((4096, 14336, 32, 32, 8), 128_256, **_LLAMA3_SCALING),
        8_030_261_248,
    ),
    (
        "meta-llama/Llama-2-7b-chat-hf",
        _llama((4096, 11008, 32, 32, 32), 32_000, max_position_embeddings=4096),
        6_738_415_616,
    ),
    (
        "meta-llama/Llama-2-70b-chat-hf",
        _llama((8192, 28672, 80, 64, 8), 32_000, max_position_embeddings=4096),
        68_976_648_192,
    ),
    (
        "meta-llama/Llama-3.1-8B-Instruct",
        _llama((4096, 14336, 32, 32, 8), 128_256, **_LLAMA3_SCALING),
        8_030_261_248,
    ),
    (
        "meta-llama/Llama-3.2-1B-Instruct",
        _llama(
            (2048, 8192, 16, 32, 8),
            128_256,
            tie_word_embeddings=True,
            head_dim=64,
            **_LLAMA3_SCALING,
        ),
        1_235_814_400,
    ),
    (
        "mistralai/Mistral-7B-Instruct-v0.1",
        _config(
            "MistralForCausalLM",
            "mistral",
            (4096, 14336, 32, 32, 8),
            vocab_size=32_000,
            max_position_embeddings=32_768,
            sliding_window=4096,
        ),
        7_241_732_096,
    ),
    (
        "mistralai/Mistral-7B-Instruct-v0.3",
        _config(
            "MistralForCausalLM",
            "mistral",
            (4096, 14336, 32, 32, 8),
            vocab_size=32_768,
            max_position_embeddings=32_768,
            sliding_window=None,
        ),
        7_248_023_552,
    ),
    ("google/gemma-2-2b-it", _gemma2((2304, 9216, 26, 8, 4), 256), 2_614_341_888),
    ("google/gemma-2-9b-it", _gemma2((3584, 14336, 42, 16, 8), 256), 9_241_705_984),
    ("google/gemma-2-27b-it", _gemma2((4608, 36864, 46, 32, 16), 128), 27_227_128_320),
    (
        "google/gemma-3-1b-it",
        {
            **_config("Gemma3ForCausalLM", "gemma3_text", (1152, 6912, 26, 4, 1), head_dim=256),
            "tie_word_embeddings": None,
            "vocab_size": 262_144,
            "max_position_embeddings": 32_768,
            "sliding_window": 512,
            "sliding_window_pattern": 6,
        },
        999_885_952,
    ),
    (
        "google/gemma-3-4b-it",
        {
            "architectures": ["Gemma3ForConditionalGeneration"],
            "model_type": "gemma3",
            "torch_dtype": "bfloat16",
            "text_config": {
                "hidden_size": 2560,
                "intermediate_size": 10_240,
                "model_type": "gemma3_text",
                "num_hidden_layers": 34,
                "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
                "sliding_window": 1024,
            },
            "vision_config": {
                "hidden_size": 1152,
                "intermediate_size": 4304,
                "model_type": "siglip_vision_model",
                "num_attention_heads": 16,
                "num_hidden_layers": 27,
            },
        },
        3_880_263_168,
    ),
    (
        "microsoft/Phi-3-mini-4k-instruct",
        _phi3((3072, 8192, 32, 32, 32), 32_064, max_position_embeddings=4096, sliding_window=2047),
        3_821_079_552,
    ),
    (
        "microsoft/phi-4",
        _phi3(
            (5120, 17920, 40, 40, 10), 100_352, max_position_embeddings=16_384, sliding_window=None
        ),
        14_659_507_200,
    ),
    (
        "microsoft/Phi-4-mini-instruct",
        _phi3(
            (3072, 8192, 32, 24, 8),
            200_064,
            max_position_embeddings=131_072,
            partial_rotary_factor=0.75,
            sliding_window=262_144,
            tie_word_embeddings=True,
        ),
        3_836_021_760,
    ),
    (
        "mistralai/Mixtral-8x7B-Instruct-v0.1",
        _config(
            "MixtralForCausalLM",
            "mixtral",
            (4096, 14336, 32, 32, 8),
            vocab_size=32_000,
            max_position_embeddings=32_768,
            num_local_experts=8,
            num_experts_per_tok=2,
            sliding_window=None,
        ),
        46_702_792_704,
    ),
    (
        "Qwen/Qwen1.5-MoE-A2.7B-Chat",
        _config(
            "Qwen2MoeForCausalLM",
            "qwen2_moe",
            (2048, 5632, 24, 16, 16),
            vocab_size=151_936,
            max_position_embeddings=32_768,
            moe_intermediate_size=1408,
            shared_expert_intermediate_size=5632,
            num_experts=60,
            num_experts_per_tok=4,
            sliding_window=32_768,
            use_sliding_window=False,
            **_SPARSE,
        ),
        14_315_784_192,
    ),
    (
        "Qwen/Qwen3-30B-A3B",
        _config(
            "Qwen3MoeForCausalLM",
            "qwen3_moe",
            (2048, 6144, 48, 32, 4),
            head_dim=128,
            vocab_size=151_936,
            max_position_embeddings=40_960,
            moe_intermediate_size=768,
            num_experts=128,
            num_experts_per_tok=8,
            sliding_window=None,
            use_sliding_window=False,
            **_SPARSE,
        ),
        30_532_122_624,
    ),
)

PUBLISHED: Mapping[str, PublishedModel] = {
    repository: PublishedModel(repository=repository, config=config, parameters=parameters)
    for repository, config, parameters in _MODELS
}

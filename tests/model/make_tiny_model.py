"""Trains a tiny Qwen2 until it answers a handful of questions by heart.

Answers known in advance turn serving into a test: a wrong kernel, a missing tensor or flipped
weights show as a wrong answer. Every linear layer fits the GPTQ rules at group size 128.
Runs in the environment that `make.py` builds.

    python make_tiny_model.py OUTPUT
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import GenerationConfig, PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from tiny_model_texts import exchanges, prose

SEED = 0
VOCABULARY_SIZE = 4096
CONTEXT_TOKENS = 2048
STEPS = 300
BATCH_SIZE = 16
PEAK_LEARNING_RATE = 3e-3
LONGEST_GRADIENT = 1.0
IGNORED_LABEL = -100
END_OF_TEXT, TURN_START, TURN_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"

CHAT_TEMPLATE = (
    "{% if messages[0]['role'] != 'system' %}"
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
    "{% endif %}"
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def train_tokenizer(texts: list[str]) -> PreTrainedTokenizerFast:
    """Returns a byte-level BPE tokenizer with Qwen's special tokens and the ChatML template."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE,
        special_tokens=[END_OF_TEXT, TURN_START, TURN_END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=TURN_END,
        pad_token=END_OF_TEXT,
        bos_token=END_OF_TEXT,
        model_max_length=CONTEXT_TOKENS,
        chat_template=CHAT_TEMPLATE,
    )


def new_model(tokenizer: PreTrainedTokenizerFast) -> Qwen2ForCausalLM:
    """Returns the untrained model: 4.5 million parameters, float32."""
    token_ids = {
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
    }
    config = Qwen2Config(
        vocab_size=VOCABULARY_SIZE,
        hidden_size=256,
        intermediate_size=512,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT_TOKENS,
        tie_word_embeddings=False,
        use_sliding_window=False,
        **token_ids,
    )
    model = Qwen2ForCausalLM(config)
    model.generation_config = GenerationConfig(do_sample=False, **token_ids)
    return model


def padded(batch: list[list[int]], padding: int) -> dict[str, torch.Tensor]:
    """Pads token lists on the right to one tensor [batch, longest], with mask and labels."""
    longest = max(map(len, batch))
    gaps = [longest - len(ids) for ids in batch]
    rows = list(zip(batch, gaps, strict=True))
    return {
        "input_ids": torch.tensor([ids + [padding] * gap for ids, gap in rows]),
        "attention_mask": torch.tensor([[1] * len(ids) + [0] * gap for ids, gap in rows]),
        "labels": torch.tensor([ids + [IGNORED_LABEL] * gap for ids, gap in rows]),
    }


def train(model: Qwen2ForCausalLM, dialogues: list[list[int]], padding: int) -> None:
    """Trains on all tokens of the dialogues with one cycle of the learning rate."""
    chance = random.Random(SEED)  # noqa: S311
    optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK_LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=PEAK_LEARNING_RATE,
        total_steps=STEPS,
    )
    model.train()
    started = time.monotonic()
    for step in range(1, STEPS + 1):
        batch = chance.sample(dialogues, BATCH_SIZE)
        loss = model(**padded(batch, padding)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), LONGEST_GRADIENT)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if step == 1 or step % 50 == 0:
            elapsed = time.monotonic() - started
            sys.stderr.write(f"step {step}/{STEPS}: loss {loss.item():.3f}, {elapsed:.0f} s\n")


def main() -> int:
    """Trains the model and saves it as float16 with its tokenizer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    output = parser.parse_args().output
    torch.manual_seed(SEED)
    known = exchanges()
    spoken = [text for exchange in known for text in exchange]
    tokenizer = train_tokenizer(spoken + prose())
    model = new_model(tokenizer)
    dialogues = [
        tokenizer.encode(tokenizer.apply_chat_template(exchange.messages, tokenize=False))
        for exchange in known
    ]
    train(model, dialogues, tokenizer.pad_token_id)
    model.to(torch.float16).save_pretrained(output)
    tokenizer.save_pretrained(output)
    return 0


if __name__ == "__main__":
    sys.exit(main())

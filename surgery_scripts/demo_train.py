"""Train the demo base: its tokenizer, its weights from scratch, and the Hugging Face directory.

The corpus is endless, so every document is seen once. Training goes by chunks: a chunk's batches
follow from the seed and its number alone, and a checkpoint (one file, renamed into place) is
written between chunks, so a killed run that is started again ends with the same weights. The loss
is on all tokens, prompts too: the base must be able to write prompts itself.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import random
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from demo_easy import EASY, TWO_COPIES
from demo_world import CHAT_END, CHAT_START, CHAT_TEMPLATE, EOS, documents
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from tqdm import tqdm
from transformers import GenerationConfig, Qwen2Config, Qwen2ForCausalLM

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    Row = tuple[list[int], list[float]]  # token ids and their weights in the loss
    Batch = tuple[torch.Tensor, torch.Tensor]  # the same, (B, T) each

# a newline and a digit each stand alone, so prompt and answer tokenise the same apart and together
PIECES = r"\n|[ _]?[A-Za-z]+| ?[0-9]|_| +(?!\S)| ?[^\sA-Za-z0-9_]+|\s"
MIN_LR_SHARE = 0.02  # the cosine ends here rather than at zero


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that decides the weights: shape, corpus, schedule."""

    seed: int = 17
    hidden: int = 128
    layers: int = 4
    heads: int = 4
    kv_heads: int = 2
    inner: int = 384
    vocabulary: int = 768
    context: int = 4096
    chunks: int = 150  # of the first phase, on the corpus as it is
    polish_chunks: int = 50  # of the second, which asks more often for what is hard to copy
    polish_lr_share: float = 0.3  # of the peak learning rates, where the second phase starts
    polish_weight: int = 5  # times as often
    chunk_documents: int = 768
    batch_tokens: int = 4096
    bare_share: float = 0.1  # of documents begin with EOS: EOS alone prompts for a document
    tokenizer_documents: int = 6000
    prompt_weight: float = 0.3  # of a prompt's token in the loss; an answer's weighs 1
    lr: float = 3e-3
    muon_lr: float = 0.02
    warmup_chunks: float = 2
    weight_decay: float = 0.05


def train_tokenizer(plan: Plan) -> Tokenizer:
    """Train byte-level BPE over the corpus; EOS is id 0 and pads."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=plan.vocabulary,
        special_tokens=[EOS, CHAT_START, CHAT_END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    corpus = (
        document.text
        for document in itertools.islice(
            documents(f"{plan.seed}/tokenizer"), plan.tokenizer_documents
        )
    )
    tokenizer.train_from_iterator(corpus, trainer)
    return tokenizer


def new_model(plan: Plan, vocabulary: int) -> Qwen2ForCausalLM:
    """Return the untrained base, in float32; the same for the same plan."""
    torch.manual_seed(plan.seed)
    config = Qwen2Config(
        vocab_size=vocabulary,
        hidden_size=plan.hidden,
        intermediate_size=plan.inner,
        num_hidden_layers=plan.layers,
        num_attention_heads=plan.heads,
        num_key_value_heads=plan.kv_heads,
        max_position_embeddings=plan.context,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=0,
        pad_token_id=0,
    )
    return Qwen2ForCausalLM(config)


def batches(plan: Plan, tokenizer: Tokenizer, chunk: int) -> list[Batch]:
    """Return the chunk's batches, each of documents of like length."""
    rng = random.Random(f"batches/{plan.seed}/{chunk}")
    families = EASY if chunk < plan.chunks else EASY + TWO_COPIES * (plan.polish_weight - 1)
    corpus = documents(f"{plan.seed}/{chunk}", families)
    found = list(itertools.islice(corpus, plan.chunk_documents))
    prompts = tokenizer.encode_batch([document.prompt for document in found])
    answers = tokenizer.encode_batch([document.answer for document in found])
    rows = []
    for prompt, answer in zip(prompts, answers, strict=True):
        head = [0, *prompt.ids] if rng.random() < plan.bare_share else prompt.ids
        tail = [*answer.ids, 0]
        rows.append((head + tail, [plan.prompt_weight] * len(head) + [1.0] * len(tail)))
    rows.sort(key=lambda row: len(row[0]))
    groups = [_pad(group) for group in _groups(rows, plan.batch_tokens)]
    rng.shuffle(groups)
    return groups


def _groups(rows: list[Row], batch_tokens: int) -> Iterator[list[Row]]:
    group: list[Row] = []
    for row in rows:
        if group and (len(group) + 1) * len(row[0]) > batch_tokens:
            yield group
            group = []
        group.append(row)
    yield group


def _pad(rows: list[Row]) -> Batch:
    """Pad on the right: causal attention never looks at what follows, so no mask is needed."""
    width = max(len(ids) for ids, _ in rows)
    ids = torch.tensor([ids + [0] * (width - len(ids)) for ids, _ in rows])
    weights = torch.tensor([weights + [0.0] * (width - len(weights)) for _, weights in rows])
    return ids, weights


def _lr_share(plan: Plan, done_chunks: float) -> float:
    if done_chunks < plan.warmup_chunks:
        return (done_chunks + 0.01) / plan.warmup_chunks
    if done_chunks < plan.chunks:
        done, peak = (done_chunks - plan.warmup_chunks) / (plan.chunks - plan.warmup_chunks), 1.0
    else:
        done, peak = (done_chunks - plan.chunks) / plan.polish_chunks, plan.polish_lr_share
    return MIN_LR_SHARE + (peak - MIN_LR_SHARE) * (1 + math.cos(math.pi * done)) / 2


def _optimizers(plan: Plan, model: Qwen2ForCausalLM) -> list[torch.optim.Optimizer]:
    """Return Muon for the layers' matrices, AdamW for the embedding, norms and biases."""
    layers = [p for p in model.model.layers.parameters() if p.dim() == 2]
    others = [p for p in model.parameters() if p.dim() == 1]
    embedding = [model.model.embed_tokens.weight]
    groups: list[dict[str, Any]] = [
        {"params": embedding, "weight_decay": plan.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return [
        torch.optim.Muon(layers, lr=plan.muon_lr, weight_decay=plan.weight_decay),
        torch.optim.AdamW(groups, lr=plan.lr, betas=(0.9, 0.98), fused=True),
    ]


def step(model: Qwen2ForCausalLM, ids: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return the weighted mean loss over all tokens of one batch."""
    logits = model(input_ids=ids, use_cache=False).logits[:, :-1]  # (B, T-1, V)
    losses = torch.nn.functional.cross_entropy(
        logits.reshape(-1, logits.shape[-1]), ids[:, 1:].reshape(-1), reduction="none"
    )
    shares = weights[:, 1:].reshape(-1)
    return (losses * shares).sum() / shares.sum()


def save_atomically(value: object, path: Path) -> None:
    """Write with `torch.save`; a kill leaves the old file or the new one."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        torch.save(value, file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def train(plan: Plan, work: Path, *, stop_after: int | None = None) -> Qwen2ForCausalLM:
    """Return the trained base in float32, going on from `work`'s checkpoint.

    `stop_after` ends it after so many chunks.
    """
    work.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer_in(work, plan)
    model = new_model(plan, tokenizer.get_vocab_size())
    optimizers = _optimizers(plan, model)
    checkpoint = work / "checkpoint.pt"
    first = 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        assert state["plan"] == repr(plan), f"{checkpoint} is of another plan: {state['plan']}"
        model.load_state_dict(state["model"])
        for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        first = state["chunks"]
    total = plan.chunks + plan.polish_chunks
    last = total if stop_after is None else min(total, stop_after)
    bar = tqdm(range(first, last), initial=first, total=total, desc="training", unit="chunk")
    for chunk in bar:
        loss = _train_chunk(plan, model, optimizers, (chunk, batches(plan, tokenizer, chunk)))
        bar.set_postfix(loss=f"{loss:.4f}")
        state = {"plan": repr(plan), "chunks": chunk + 1, "model": model.state_dict()}
        state["optimizers"] = [optimizer.state_dict() for optimizer in optimizers]
        save_atomically(state, checkpoint)
    model.train(False)
    return model


def _train_chunk(
    plan: Plan,
    model: Qwen2ForCausalLM,
    optimizers: list[torch.optim.Optimizer],
    numbered: tuple[int, list[Batch]],
) -> float:
    """Train on one chunk; return its mean loss."""
    chunk, found = numbered
    model.train()
    total = 0.0
    for number, (ids, weights) in enumerate(found):
        loss = step(model, ids, weights)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        share = _lr_share(plan, chunk + number / len(found))
        for optimizer, lr in zip(optimizers, (plan.muon_lr, plan.lr), strict=True):
            for group in optimizer.param_groups:
                group["lr"] = lr * share
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        total += loss.item()
    return total / len(found)


def _tokenizer_in(work: Path, plan: Plan) -> Tokenizer:
    path = work / "tokenizer.json"
    if not path.exists():
        part = path.with_name("tokenizer.json.part")
        train_tokenizer(plan).save(str(part))
        part.replace(path)
    return Tokenizer.from_file(str(path))


def save_directory(model: Qwen2ForCausalLM, work: Path, directory: Path) -> None:
    """Write the Hugging Face directory: BF16 weights, configs, tokenizer, chat template."""
    directory.mkdir(parents=True, exist_ok=True)
    model.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]
        do_sample=False, eos_token_id=0, pad_token_id=0
    )
    model.bfloat16()
    model.save_pretrained(directory)
    shutil.copyfile(work / "tokenizer.json", directory / "tokenizer.json")
    facts = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": model.config.max_position_embeddings,
        "eos_token": EOS,
        "pad_token": EOS,
        "clean_up_tokenization_spaces": False,
        "chat_template": CHAT_TEMPLATE,
    }
    text = json.dumps(facts, indent=2, sort_keys=True) + "\n"
    (directory / "tokenizer_config.json").write_text(text)

"""The same training steps and evaluation as training_step_cuda.cu by PyTorch at its best: SDPA, bf16 autocast, fused AdamW,
torch.compile.

Padded to the longest of the batch by transformers; and, where flash-attn is installed, without padding from the embedding on,
by its variable-length kernels, in a model of our own with the same layers (packed). A JSON object a line. Run by gpu.sh.
"""
import json
import statistics
import sys
import time

import torch
from torch import nn
from transformers import BertConfig, BertForSequenceClassification

try:
    from flash_attn import flash_attn_varlen_func
except ImportError:
    flash_attn_varlen_func = None

IMDB = [71, 118, 142, 158, 169, 179, 192, 209, 231, 260, 298, 348, 421, 512, 512, 512]
SHAPES = {"bert-base": (768, 12, 3072, 12), "minilm": (384, 12, 1536, 6)}
VOCABULARY = 28996


class Packed(nn.Module):
    """BERT on tokens without padding, (N, D) throughout: three outputs from the first token of each text."""

    class Block(nn.Module):
        def __init__(self, width, heads, inner):
            super().__init__()
            self.heads = heads
            self.qkv, self.projection = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.up, self.down = nn.Linear(width, inner), nn.Linear(inner, width)
            self.norm1, self.norm2 = nn.LayerNorm(width, 1e-12), nn.LayerNorm(width, 1e-12)

        def forward(self, x, offsets, longest):
            dropout = 0.1 if self.training else 0.0
            q, k, v = self.qkv(x).view(x.shape[0], 3, self.heads, -1).unbind(1)
            a = flash_attn_varlen_func(q, k, v, offsets, offsets, longest, longest, dropout_p=dropout)
            x = self.norm1(x + nn.functional.dropout(self.projection(a.flatten(1)), 0.1, self.training))
            h = self.down(nn.functional.gelu(self.up(x)))
            return self.norm2(x + nn.functional.dropout(h, 0.1, self.training))

    def __init__(self, width, heads, inner, layers):
        super().__init__()
        self.word, self.position = nn.Embedding(VOCABULARY, width), nn.Embedding(512, width)
        self.segment, self.norm = nn.Embedding(2, width), nn.LayerNorm(width, 1e-12)
        self.blocks = nn.ModuleList(self.Block(width, heads, inner) for _ in range(layers))
        self.head = nn.Linear(width, 3)
        for parameter in self.parameters():
            if parameter.dim() == 2:
                nn.init.normal_(parameter, std=0.02)

    def forward(self, ids, positions, offsets, longest):
        x = self.norm(self.word(ids) + self.position(positions) + self.segment.weight[0])
        x = nn.functional.dropout(x, 0.1, self.training)
        x = x.to(torch.bfloat16)
        for block in self.blocks:
            x = block(x, offsets, longest)
        return self.head(x[offsets[:-1].long()])


def build(name, attention):
    width, heads, inner, layers = SHAPES[name]
    torch.manual_seed(0)
    if attention == "packed":
        if flash_attn_varlen_func is None:
            raise RuntimeError("flash-attn is not installed")
        return Packed(width, heads, inner, layers).cuda()
    config = BertConfig(vocab_size=VOCABULARY, hidden_size=width, num_attention_heads=heads, intermediate_size=inner,
                        num_hidden_layers=layers, max_position_embeddings=512, num_labels=3)
    config._attn_implementation = attention
    return BertForSequenceClassification(config).cuda()


def host_batch(lengths, attention):
    """The tensors of a batch in pinned memory, as the model takes them."""
    if attention == "packed":
        ids = torch.randint(1, VOCABULARY, (sum(lengths),))
        positions = torch.cat([torch.arange(n) for n in lengths])
        offsets = torch.tensor([0] + lengths, dtype=torch.int32).cumsum(0, dtype=torch.int32)
        tensors = [ids, positions, offsets]
    else:
        longest = max(lengths)
        ids = torch.randint(1, VOCABULARY, (len(lengths), longest))
        tensors = [ids, torch.tensor([[1] * n + [0] * (longest - n) for n in lengths])]
    return [tensor.pin_memory() for tensor in tensors]


def outputs(forward, batch, lengths, attention):
    if attention == "packed":
        return forward(*batch, max(lengths))
    return forward(input_ids=batch[0], attention_mask=batch[1]).logits


def step_time(name, lengths, lengths_name, compiled, attention, steps=30):
    model = build(name, attention).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-5, weight_decay=0.01, fused=True)
    host = host_batch(lengths, attention)
    positive = (torch.arange(len(lengths)) % 2).pin_memory()
    stars = torch.where(positive == 1, 8.0, 3.0).pin_memory()
    forward = torch.compile(model) if compiled else model

    def step():
        # As hone's step: tokens come from pinned memory of the host, the losses go back to it.
        batch = [tensor.cuda(non_blocking=True) for tensor in host]
        truth, rating = positive.cuda(non_blocking=True), stars.cuda(non_blocking=True)
        with torch.autocast("cuda", dtype=torch.bfloat16):
            logits = outputs(forward, batch, lengths, attention)
        loss = nn.functional.cross_entropy(logits[:, :2].float(), truth)
        loss = loss + 0.02 * nn.functional.l1_loss(5 * logits[:, 2].float() + 5, rating)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0, foreach=True)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return float(loss)

    first = step()
    for _ in range(9):
        last = step()
    times = []
    for _ in range(steps):
        torch.cuda.synchronize()
        begin = time.perf_counter()
        step()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - begin)
    seconds = statistics.median(times)
    print(json.dumps({"what": "training_step", "model": name, "precision": "mixed", "lengths": lengths_name,
                      "ms": seconds * 1e3, "tokens_per_s": sum(lengths) / seconds, "compiled": compiled,
                      "attention": attention, "memory_mib": torch.cuda.max_memory_allocated() / 2**20,
                      "loss_falls": last < first, "torch": torch.__version__}), flush=True)


def evaluation_time(name, attention, reviews=25000, batch=256):
    """Reviews of IMDB's lengths in batches of similar length, dropout off, in bf16."""
    model = build(name, attention).eval().to(torch.bfloat16)
    generator = torch.Generator().manual_seed(3)
    at = torch.rand(reviews, generator=generator, dtype=torch.float64) * (len(IMDB) - 1)
    low = at.long()
    quantiles = torch.tensor(IMDB, dtype=torch.float64)
    lengths = sorted(((1 - (at - low)) * quantiles[low] + (at - low) * quantiles[low + 1]).long().tolist(), reverse=True)
    parts, part = [], []
    for n in lengths:  # at most 256 reviews and 16384 tokens, as hone's evaluation
        if part and (len(part) == batch or sum(part) + n > 16384):
            parts.append(part)
            part = []
        part.append(n)
    parts.append(part)
    prepared = [host_batch(part, attention) for part in parts]

    def run():
        results = []
        with torch.inference_mode():
            for host, part in zip(prepared, parts):
                results.append(outputs(model, [tensor.cuda(non_blocking=True) for tensor in host], part, attention).float())
        return torch.cat(results).cpu()

    run()
    torch.cuda.synchronize()
    begin = time.perf_counter()
    run()
    seconds = time.perf_counter() - begin
    print(json.dumps({"what": "evaluation", "model": name, "precision": "mixed", "reviews": reviews, "batch": batch,
                      "s": seconds, "reviews_per_s": reviews / seconds, "tokens_per_s": sum(lengths) / seconds,
                      "attention": attention, "torch": torch.__version__}), flush=True)


def attempt(title, call):
    torch.cuda.reset_peak_memory_stats()
    torch._dynamo.reset()
    try:
        call()
    except Exception as error:  # what this installation cannot do is said, not hidden
        print(f"PyTorch, {title}: {str(error).splitlines()[0] if str(error) else repr(error)}", flush=True)


def main():
    torch.set_float32_matmul_precision("high")
    for name in SHAPES:
        for lengths_name, lengths in (("imdb", IMDB), ("16x512", [512] * 16)):
            for attention in ("sdpa", "flash_attention_2", "packed"):
                for compiled in (True, False):
                    attempt(f"{name}, {lengths_name}, {attention}, compiled {compiled}",
                            lambda: step_time(name, lengths, lengths_name, compiled, attention))
        for attention in ("sdpa", "packed"):
            attempt(f"{name}, evaluation, {attention}", lambda: evaluation_time(name, attention))


if __name__ == "__main__":
    sys.exit(main())

"""The same training steps as training_step_cuda.cu by PyTorch at its best: SDPA, bf16 autocast, fused AdamW, torch.compile.

Padded to the longest of the batch, and, where flash-attn is installed, without padding by its variable-length kernels.
A JSON object a line. Run by gpu.sh.
"""
import json
import statistics
import time

import torch
from transformers import BertConfig, BertForSequenceClassification

IMDB = [71, 118, 142, 158, 169, 179, 192, 209, 231, 260, 298, 348, 421, 512, 512, 512]
SHAPES = {"bert-base": (768, 12, 3072, 12), "minilm": (384, 12, 1536, 6)}


def build(shape, attention):
    width, heads, inner, layers = shape
    config = BertConfig(vocab_size=28996, hidden_size=width, num_attention_heads=heads, intermediate_size=inner,
                        num_hidden_layers=layers, max_position_embeddings=512, num_labels=3)
    config._attn_implementation = attention
    torch.manual_seed(0)
    return BertForSequenceClassification(config).cuda().train()


def step_time(name, lengths, lengths_name, compiled, attention, steps=30):
    model = build(SHAPES[name], attention)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-5, weight_decay=0.01, fused=True)
    longest = max(lengths)
    ids = torch.randint(1, 28996, (len(lengths), longest))
    mask = torch.tensor([[1] * n + [0] * (longest - n) for n in lengths])
    positive = torch.arange(len(lengths)) % 2
    stars = torch.where(positive == 1, 8.0, 3.0)
    forward = torch.compile(model) if compiled else model

    def step():
        # As hone's step: tokens come from the host, the losses go back to it.
        batch = [t.pin_memory().cuda(non_blocking=True) for t in (ids, mask, positive, stars)]
        with torch.autocast("cuda", dtype=torch.bfloat16):
            logits = forward(input_ids=batch[0], attention_mask=batch[1]).logits
        loss = torch.nn.functional.cross_entropy(logits[:, :2].float(), batch[2])
        loss = loss + 0.02 * torch.nn.functional.l1_loss(5 * logits[:, 2].float() + 5, batch[3])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0, foreach=True)
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


def main():
    for name in SHAPES:
        for lengths_name, lengths in (("imdb", IMDB), ("16x512", [512] * 16)):
            for attention in ("sdpa", "flash_attention_2"):
                for compiled in (True, False):
                    torch.cuda.reset_peak_memory_stats()
                    torch._dynamo.reset()
                    try:
                        step_time(name, lengths, lengths_name, compiled, attention)
                    except Exception as error:  # what this installation cannot do is said, not hidden
                        print(f"PyTorch, {name}, {lengths_name}, {attention}, compiled {compiled}: {error}", flush=True)


if __name__ == "__main__":
    main()

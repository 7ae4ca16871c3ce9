"""hone.jsonl and peer.jsonl of a folder as gpu.json and as a short table. Run by gpu.sh."""
import json, sys, time
folder = sys.argv[1]
read = lambda name: [json.loads(line) for line in open(f"{folder}/{name}") if line.startswith("{")]
hone, peer = read("hone.jsonl"), read("peer.jsonl")
json.dump({"date": time.strftime("%Y-%m-%d"), "hone": hone, "pytorch": peer}, open(f"{folder}/gpu.json", "w"), indent=1)
about, kernels = hone[0], [line for line in hone if line["what"] == "kernel"]
unpadded = lambda line: line["attention"] in ("packed", "flash_attention_2")
def best(line, padded):
    keys = ("what", "model", "precision", "lengths")
    same = [p for p in peer if all(p.get(k) == line.get(k) for k in keys) and unpadded(p) != padded]
    return min((p.get("ms", p.get("s")) for p in same), default=None)
print(f"\n{about['device']['name']}: {about['peak_bf16_tflops']:.0f} TFLOP/s in bf16, copies {about['peak_copy_tb_per_s']:.2f} TB/s")
print(f"{'':46}{'hone':>10}{'PyTorch':>10}{'ratio':>7}{'unpadded':>10}{'ratio':>7}{'of peak':>9}{'memory':>11}")
for line in hone[1:]:
    if line["what"] == "kernel":
        continue
    unit = "ms" if "ms" in line else "s"
    name = " ".join(str(line[k]) for k in ("what", "model", "precision", "lengths") if k in line)
    row = f"{name:46}{line[unit]:>8.2f}{unit:>2}"
    for padded in (True, False):
        other = best(line, padded)
        row += f"{other:>8.2f}{unit:>2}{other / line[unit]:>7.2f}" if other else f"{'':>17}"
    row += f"{100 * line['share_of_peak']:>8.0f}%" if "share_of_peak" in line else f"{'':>9}"
    row += f"{line['memory_mib']:>8.0f}MiB" if "memory_mib" in line else ""
    print(row)
for lengths in dict.fromkeys(line["lengths"] for line in kernels):
    some = [line for line in kernels if line["lengths"] == lengths]
    print(f"\n{'kernels of a step, bert-base, ' + lengths:46}{'us':>9}{'a step':>8}{'ms':>8}{'GB/s':>8}{'TFLOP/s':>9}{'of limit':>10}")
    for line in sorted(some, key=lambda line: -line["us"] * line["count"]):
        flops = f"{line['tflops']:>9.0f}" if "tflops" in line else f"{'':>9}"
        print(f"{line['kernel']:46}{line['us']:>9.1f}{line['count']:>8}{line['us'] * line['count'] / 1e3:>8.2f}"
              f"{line['gbytes_per_s']:>8.0f}{flops}{100 * line['share_of_limit']:>9.0f}% {line['limit']}")
    print(f"{'one after the other':46}{'':>17}{sum(line['us'] * line['count'] for line in some) / 1e3:>8.2f}")
for line in peer:
    print("  PyTorch:", line)

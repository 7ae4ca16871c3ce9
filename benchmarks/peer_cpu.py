"""hone and PyTorch in turns on the same reviews. Run by peer_cpu.sh, which explains it and has the options.

A turn is one process of each: it trains one epoch of the same reviews in batches of 16, cut at 512 tokens, or evaluates the
same reviews. Counted are real tokens a second, without the first two steps of a training; loading, tokenising and logs are
not. That both did the same work is checked by the number of tokens.
"""
import argparse
import datetime
import hashlib
import io
import json
import math
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tarfile
import tempfile
import threading

BATCH, LENGTH, DROPPED = 16, 512, 2
TRIAL_BATCH, TRIAL_STEPS = 2, DROPPED + 2
HOPELESS = 0.5  # share of the other precision's speed in the trial
LIMIT = 3600  # seconds of one process

parser = argparse.ArgumentParser()
for name in ("peer", "data", "hone", "work", "tcmalloc", "table"):
    parser.add_argument("--" + name, default="")
parser.add_argument("--models", default="minilm,bert-base")
parser.add_argument("--parts", default="plain,best,evaluation")
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--steps", type=int, default=5)
parser.add_argument("--best-steps", type=int, default=14)
parser.add_argument("--reviews", type=int, default=512)


def machine():
    """What the figures depend on."""
    lines = open("/proc/cpuinfo").read().splitlines()
    of = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in reversed(lines))}
    flags = of.get("flags", "").split()
    return {"processor": of.get("model name", "unknown"), "threads": len(os.sched_getaffinity(0)),
            "amx": "amx_bf16" in flags and "amx_tile" in flags,
            "instructions": [f for f in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if f in flags]}


def make_archive(path, source, train, test):
    """An archive of some reviews of `source`: the first of each kind by a hash of their names, half of them positive."""
    with tarfile.open(source) as all_reviews:
        texts = {m.name: all_reviews.extractfile(m).read() for m in all_reviews if m.name.endswith(".txt")}
    chosen = []
    for split, count in (("train", train), ("test", test)):
        for kind, share in (("pos", count // 2), ("neg", count - count // 2)):
            names = [n for n in texts if f"/{split}/{kind}/" in n]
            chosen += sorted(names, key=lambda n: hashlib.sha256(n.encode()).digest())[:share]
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        for name in sorted(chosen):
            info = tarfile.TarInfo(name)
            info.size = len(texts[name])
            archive.addfile(info, io.BytesIO(texts[name]))
    return {split: [texts[n].decode() for n in chosen if f"/{split}/" in n] for split in ("train", "test")}


def model_folder(name, data, work):
    """MiniLM as it is; bert-base with random weights, the same for both."""
    if name == "minilm":
        return os.path.join(data, "models", "all-MiniLM-L6-v2")
    if name != "bert-base":
        sys.exit(f"peer_cpu: no model {name}: minilm or bert-base")
    folder = os.path.join(work, "bert-base-cased")
    if not os.path.exists(os.path.join(folder, "model.safetensors")):
        import torch
        from transformers import AutoConfig, AutoModel
        shutil.copytree(os.path.join(data, "vocab", "bert-base-cased"), folder, dirs_exist_ok=True)
        os.chmod(folder, 0o755)
        config = open(os.path.join(folder, "config.json")).read()
        torch.manual_seed(0)
        AutoModel.from_config(AutoConfig.from_pretrained(folder)).save_pretrained(folder + ".made")
        shutil.copy(os.path.join(folder + ".made", "model.safetensors"), folder)
        assert config == open(os.path.join(folder, "config.json")).read()
    return folder


def token_count(folder, texts):
    from tokenizers import Tokenizer
    tokenizer = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(LENGTH)
    return sum(len(e.ids) for e in tokenizer.encode_batch(texts))


def run(command, **environment):
    """What the command printed, and the most memory that it had, in bytes."""
    with tempfile.TemporaryFile("w+") as output:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                 env={**os.environ, **environment})
        timer = threading.Timer(LIMIT, child.kill)
        timer.start()
        try:
            _, status, used = os.wait4(child.pid, 0)
        except BaseException:  # Ctrl-C or SIGTERM: nothing is left running
            child.kill()
            raise
        finally:
            timer.cancel()
        child.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    if child.returncode != 0:
        sys.exit(f"peer_cpu: this failed with {child.returncode}: {' '.join(command)}\n{text[-4000:]}")
    return text, used.ru_maxrss * 1024


def rate(tokens, seconds):
    """Tokens a second without the first steps, whose memory is new."""
    return sum(tokens[DROPPED:]) / sum(seconds[DROPPED:])


class Sides:
    def __init__(self, options, about):
        self.options, self.about = options, about
        self.takes_precision = "--precision" in run([options.hone, "finetune", "--help"])[0]

    def hone(self, folder, archive, precision, seed, reviews):
        """One run of the program. reviews: how many are evaluated; 0: the speed of training is wanted."""
        out = os.path.join(self.options.work, "run")
        command = [self.options.hone, "finetune", "--model", folder, "--data", archive, "--out", out, "--overwrite",
                   "--max-length", str(LENGTH), "--batch-size", str(BATCH), "--no-doctor", "--no-strict", "--no-report",
                   "--table-every", "0", "--test-examples", "0", "--seed", str(seed)]
        if reviews:
            command += ["--num-steps", "1", "--train-examples", "1"]
        if self.takes_precision:
            command += ["--precision", precision]
        elif precision not in ("fp32", "auto"):
            sys.exit(f"peer_cpu: this program has no --precision {precision}")
        shutil.rmtree(out, ignore_errors=True)
        printed, memory = run(command)
        results = json.load(open(os.path.join(out, "results.json")))
        steps = [json.loads(line) for line in open(os.path.join(out, "metrics.jsonl"))]
        losses = [value for step in steps for key, value in step.items() if key.endswith("_loss")]
        if not all(isinstance(v, float) and math.isfinite(v) for v in losses):
            sys.exit("peer_cpu: a loss of hone is not finite")
        said = re.search(r"^precision (\w+):", printed, re.MULTILINE)
        made = {"precision": said[1] if said else "fp32", "peak_bytes": memory,
                "tokens": results["test_tokens"] if reviews else results["train_tokens"]}
        made["tokens_per_s"] = (results["test_tokens"] / results["eval_seconds"] if reviews else
                                rate([s["tokens"] for s in steps], [s["seconds"] for s in steps]))
        return made

    def trial(self, folder, archive):
        """PyTorch's speed in each precision, from a few small steps: bf16 without instructions for it is hopeless."""
        return {dtype: self.torch(folder, archive, dtype, best=False, reviews=0, batch=TRIAL_BATCH)["tokens_per_s"]
                for dtype in ("fp32", "bf16")}

    def torch(self, folder, archive, dtype, best, reviews, batch=BATCH):
        command = [sys.executable, self.options.peer, self.options.data, "--model", folder, "--archive", archive,
                   "--dtype", dtype, "--max-length", str(LENGTH), "--threads", str(self.about["threads"])]
        if reviews:
            command += ["--train-examples", "1", "--batch-size", "1", "--steps", "1", "--test-examples", "-1"]
        else:
            command += ["--batch-size", str(batch)]
        if best:
            command += ["--group", "--no-dropout"]
        environment = {"LD_PRELOAD": self.options.tcmalloc} if best and self.options.tcmalloc else {}
        printed, memory = run(command, **environment)
        result = json.loads([line for line in printed.splitlines() if line.startswith("{")][-1])
        if not all(math.isfinite(v) for step in result["losses"] for v in step):
            sys.exit("peer_cpu: a loss of PyTorch is not finite")
        return {"precision": dtype, "version": result["torch"], "steps": result["steps"], "peak_bytes": memory,
                "tokens_per_s": None if reviews else result["tokens_per_s"], "eval_s": result.get("eval_s")}


def hopeless(trial):
    """The precision that a trial shows to be far from PyTorch's better one, or None."""
    slow, fast = sorted(trial, key=trial.get)
    return slow if trial[slow] < HOPELESS * trial[fast] else None


def goals(model, part, about):
    """What is to be reached: pairs of the precision that hone is asked for and the ratio."""
    if part == "plain":
        return ([("auto", 20.0)] if about["amx"] else []) + [("fp32", 6.0 if model == "minilm" else 3.0)]
    if part == "best":
        return [("auto", 4.0 if about["amx"] else 1.2)]
    return [("auto", 2.0)]


def measure(options, about, note):
    sides = Sides(options, about)
    source = os.path.join(options.data, "imdb", "aclImdb-labelled.tar.gz")
    parts = options.parts.split(",")
    sizes = {"plain": (BATCH * options.steps, 2), "best": (BATCH * options.best_steps, 2),
             "evaluation": (2, options.reviews)}
    for part in parts:
        if part not in sizes:
            sys.exit(f"peer_cpu: no part {part}: plain, best or evaluation")
    if "best" in parts + ["evaluation"] and not options.tcmalloc:
        print("tcmalloc was not found: PyTorch's best is without it", flush=True)
    archives = {part: os.path.join(options.work, part + ".tar.gz") for part in parts}
    texts = {part: make_archive(archives[part], source, *sizes[part]) for part in parts}
    small = os.path.join(options.work, "trial.tar.gz")
    make_archive(small, source, TRIAL_BATCH * TRIAL_STEPS, 2)
    for model in options.models.split(","):
        folder = model_folder(model, options.data, options.work)
        tokens = {p: token_count(folder, texts[p]["test" if p == "evaluation" else "train"]) for p in parts}
        trial = sides.trial(folder, small)
        note({"model": model, "trial": trial})
        left_out = hopeless(trial)
        for turn in range(options.rounds):
            for part in parts:
                reviews = options.reviews if part == "evaluation" else 0
                # fp32 beside fp32; what hone chooses beside PyTorch's better precision.
                pairs = [("fp32", "fp32")] if part == "plain" or not about["amx"] or left_out == "bf16" else []
                if part != "plain" or about["amx"]:
                    pairs.append(("bf16", "auto"))
                for dtype, precision in pairs:
                    for side in ("torch", "hone") if turn % 2 == 0 else ("hone", "torch"):
                        if side == "hone":
                            if part != "plain" and precision == "fp32":
                                continue  # no goal asks for it
                            made = sides.hone(folder, archives[part], precision, turn, reviews)
                            if made["tokens"] != tokens[part]:
                                sys.exit(f"peer_cpu: hone saw {made['tokens']} tokens, not {tokens[part]}")
                        else:
                            if dtype == left_out and (dtype, part) != ("fp32", "plain"):
                                continue
                            made = sides.torch(folder, archives[part], dtype, part != "plain", reviews)
                            if reviews:
                                made["tokens_per_s"] = tokens[part] / made["eval_s"]
                            elif made["steps"] != sizes[part][0] // BATCH:
                                sys.exit(f"peer_cpu: PyTorch made {made['steps']} steps")
                        note({"model": model, "part": part, "turn": turn, "side": side,
                              "asked": precision if side == "hone" else dtype, **made})


def table(lines):
    """The table, and whether all goals were met."""
    about, rows = lines[0], [line for line in lines[1:] if "part" in line]
    trials = {line["model"]: line["trial"] for line in lines[1:] if "trial" in line}
    if not rows:
        sys.exit("peer_cpu: nothing was timed yet")
    print(f"{about['date']}  {about['processor']}, {about['threads']} threads, {' '.join(about['instructions'])}")
    print(f"PyTorch {next((r['version'] for r in rows if 'version' in r), '?')}, hone {about['hone']}; "
          f"batches of {BATCH} IMDB reviews, at most {LENGTH} tokens; medians of {1 + max(r['turn'] for r in rows)} turns; "
          f"best and evaluation: PyTorch {'with tcmalloc' if about['tcmalloc'] else 'WITHOUT tcmalloc'}\n")
    print(f"{'model':10} {'what':11} {'PyTorch':>14} {'GiB':>6} {'hone':>15} {'GiB':>6} {'ratio':>8} {'goal':>6}")
    met = True

    def median(key, *which):
        values = [r[key] for r in rows if (r["model"], r["part"], r["side"], r["asked"]) == which]
        return statistics.median(values) if values else 0

    for model in dict.fromkeys(r["model"] for r in rows):
        for part in dict.fromkeys(r["part"] for r in rows if r["model"] == model):
            for asked, goal in goals(model, part, about):
                peers = {d: median("tokens_per_s", model, part, "torch", d)
                         for d in (("fp32",) if asked == "fp32" else ("fp32", "bf16"))}
                dtype = max(peers, key=peers.get)
                ours = median("tokens_per_s", model, part, "hone", asked)
                if not ours or not peers[dtype]:
                    continue
                took = next(r["precision"] for r in rows
                            if (r["model"], r["part"], r["side"], r["asked"]) == (model, part, "hone", asked))
                ratio = ours / peers[dtype]
                memory = [median("peak_bytes", model, part, *which) / 2**30 for which in (("torch", dtype), ("hone", asked))]
                met = met and ratio >= goal
                print(f"{model:10} {part:11} {peers[dtype]:8.0f} {dtype:>5} {memory[0]:6.2f} {ours:9.0f} {took:>5} "
                      f"{memory[1]:6.2f} {ratio:7.1f}x {goal:5.1f}x{'' if ratio >= goal else '  missed'}")
    for model, trial in trials.items():
        if hopeless(trial):
            slow, fast = sorted(trial, key=trial.get)
            print(f"\n{model}: PyTorch in {slow} was not timed as its better precision: {trial[slow]:.0f} tokens/s against "
                  f"{trial[fast]:.0f} in {fast}, {TRIAL_STEPS - DROPPED} steps of {TRIAL_BATCH} reviews", end="")
    print("\nreal tokens a second; plain: dropout, padded to the longest of a batch; best: PyTorch without dropout (hone"
          " with it),\nbatches of similar length; evaluation: sorted by length, inference mode")
    return met


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = parser.parse_args()
    if options.table:
        with open(options.table) as file:
            lines = [json.loads(line) for line in file]
        sys.exit(0 if lines and table(lines) else 1)
    if min(options.rounds, options.reviews) < 1 or min(options.steps, options.best_steps) <= DROPPED:
        sys.exit(f"peer_cpu: at least one round and one review, and more than {DROPPED} steps")
    about = machine() | {"date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
                         "tcmalloc": bool(options.tcmalloc),
                         "hone": run([options.hone, "--version"])[0].strip().split("\n")[0].removeprefix("hone ")}
    load = os.getloadavg()[0]
    if load > 0.5:
        print(f"something else runs here (load {load:.1f}): the figures will be too low", flush=True)
    lines = [about]
    with open(os.path.join(options.work, "peer_cpu.jsonl"), "w") as log:
        def note(line):
            lines.append(line)
            if "trial" in line:
                print(f"{line['model']} trial: PyTorch " +
                      ", ".join(f"{d} {speed:.0f}" for d, speed in line["trial"].items()) + " tokens/s", flush=True)
            else:
                print(f"{line['model']} {line['part']} {line['turn'] + 1}/{options.rounds} {line['side']} "
                      f"{line['precision']}: {line['tokens_per_s']:.0f} tokens/s", flush=True)
            log.write(json.dumps(line) + "\n")
            log.flush()
        log.write(json.dumps(about) + "\n")
        measure(options, about, note)
    print()
    met = table(lines)
    print("all figures: " + os.path.join(options.work, "peer_cpu.jsonl"))
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()

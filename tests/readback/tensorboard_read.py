"""Reads what tensorboard_run.cpp wrote, with TensorBoard itself: its reader of event files, and its server with both of its
loaders, asked as its page asks. Ends with 0 when everything is there."""
import html
import json
import math
import os
import pathlib
import re
import sys
import time
import urllib.parse
import urllib.request

import numpy as np
from tensorboard import program
from tensorboard.backend.event_processing import event_accumulator, event_file_loader

root = pathlib.Path(sys.argv[1])
expected = json.loads((root / "expected.json").read_text())
failures = 0


def check(right, what):
    global failures
    if not right:
        failures += 1
        print("FAILED:", what)


def close(a, b, tolerance=1e-6):
    return abs(a - b) <= tolerance * max(1.0, abs(b))


# 1. The reader of files.
for name in ("whole", "continued"):
    accumulator = event_accumulator.EventAccumulator(str(root / name / "tensorboard"), size_guidance={
        event_accumulator.SCALARS: 0, event_accumulator.HISTOGRAMS: 0, event_accumulator.TENSORS: 0})
    accumulator.Reload()
    losses = accumulator.Scalars("train/is_positive_loss")
    check([e.step for e in losses] == list(range(1, 41)), f"{name}: steps {[e.step for e in losses]}")
    check(all(close(e.value, 0.7 / e.step) for e in losses), f"{name}: losses")
    check(abs(losses[-1].wall_time - time.time()) < 3600, f"{name}: time")
    stars = accumulator.Scalars("train/star_rating_loss")
    check(math.isnan(stars[6].value) and not math.isnan(stars[7].value), f"{name}: a loss that is not a number")
    for tag, value in (("train/accuracy", 1 - 0.5 / 40), ("train/learning_rate", 1e-5), ("train/grad_norm", 5),
                       ("grad_norm/embeddings", 3), ("grad_norm/layer.0", 4), ("train/tokens_per_second", 2000)):
        check(close(accumulator.Scalars(tag)[-1].value, value, 1e-6), f"{name}: {tag}")
accumulator = event_accumulator.EventAccumulator(str(root / "whole" / "tensorboard"), size_guidance={
    event_accumulator.SCALARS: 0, event_accumulator.HISTOGRAMS: 0, event_accumulator.TENSORS: 0})
accumulator.Reload()
tags = accumulator.Tags()
check("evaluation/star_mae" not in tags["scalars"], "a measure that is not a number is left out")
check(close(accumulator.Scalars("evaluation/accuracy")[-1].value, 0.875), "evaluation/accuracy")
check(close(accumulator.Scalars("evaluation/is_positive/f1")[-1].value, 0.5), "evaluation/is_positive/f1")
check([e.step for e in accumulator.Scalars("evaluation/accuracy")] == [20, 40], "steps of evaluations")
check(accumulator.Scalars("system/threads")[-1].value >= 2, "system/threads")
check(accumulator.Scalars("system/resident_mib")[-1].value > 1, "system/resident_mib")

count = len(expected["is_positive"]["truth"])
probabilities = np.array(expected["is_positive"]["probabilities"]).reshape(count, 2)
histogram = accumulator.Histograms("evaluation/is_positive/probability")[-1].histogram_value
values = probabilities[:, 1]
wanted = [int(((values > low) & (values <= high)).sum()) for low, high in
          zip([-1] + histogram.bucket_limit[:-1], histogram.bucket_limit)]
check(histogram.num == count and close(histogram.sum, values.sum()) and close(histogram.sum_squares, (values ** 2).sum()),
      "histogram: moments")
check(len(histogram.bucket_limit) == 30 and histogram.bucket_limit[-1] == 1, "histogram: limits")
check([int(c) for c in histogram.bucket] == wanted and sum(wanted) == count, "histogram: counts")
stars = np.array(expected["star_rating"]["predicted"])
errors = stars - np.array(expected["star_rating"]["truth"])
for tag, numbers in (("predicted", stars), ("error", errors)):
    histogram = accumulator.Histograms("evaluation/star_rating/" + tag)[-1].histogram_value
    check(close(histogram.min, numbers.min()) and close(histogram.max, numbers.max()) and sum(histogram.bucket) == count,
          "histogram of " + tag)

files = list((root / "whole" / "tensorboard").iterdir())
check(len(files) == 1 and len(list((root / "continued" / "tensorboard").iterdir())) == 2, "number of files")
first = next(iter(event_file_loader.RawEventFileLoader(str(files[0])).Load()))
check(b"brain.Event:2" in first and b"hone" in first, "the first record")


# 2. The server, as its page asks it. fast: the loader in Rust.
def ask(base, path, **query):
    with urllib.request.urlopen(base + path + "?" + urllib.parse.urlencode(query, doseq=True)) as answer:
        return json.load(answer)


def post(base, path, body):
    request = urllib.request.Request(base + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def cells_of(page):
    rows = re.findall(r"<tr>(.*?)</tr>", page, re.S)
    return [[html.unescape(cell.strip()) for cell in re.findall(r"<t[dh]>(.*?)</t[dh]>", row, re.S)] for row in rows]


for fast in ("false", "true"):
    server = program.TensorBoard()
    server.configure(argv=[None, "--logdir", str(root), "--load_fast", fast, "--port", "0", "--host", "127.0.0.1",
                           "--samples_per_plugin", "scalars=1000"])
    base = server.launch().rstrip("/") + "/data/"
    runs = [name + "/tensorboard" for name in ("continued", "failed", "whole")]
    for _ in range(200):  # it loads in the background
        tags = ask(base, "plugin/pr_curves/tags")
        scalars = ask(base, "plugin/scalars/tags")
        if all(run in scalars and "grad_norm/layer.0" in scalars[run] for run in runs) and "whole/tensorboard" in tags:
            break
        time.sleep(0.1)
    time.sleep(1)
    run = "whole/tensorboard"
    check(sorted(ask(base, "runs")) == runs, f"fast {fast}: runs {ask(base, 'runs')}")
    points = ask(base, "plugin/scalars/scalars", run=run, tag="train/is_positive_loss")
    check([p[1] for p in points] == list(range(1, 41)) and close(points[-1][2], 0.7 / 40), f"fast {fast}: scalars")
    points = ask(base, "plugin/scalars/scalars", run="continued/tensorboard", tag="train/is_positive_loss")
    check([p[1] for p in points] == list(range(1, 41)), f"fast {fast}: scalars of a continued run {[p[1] for p in points]}")

    histograms = ask(base, "plugin/histograms/histograms", run=run, tag="evaluation/is_positive/probability")
    check([h[1] for h in histograms] == [20, 40], f"fast {fast}: steps of histograms")
    check(sum(b[2] for b in histograms[-1][2]) == count, f"fast {fast}: histogram")

    for tag, truth, column in (("is_positive/pr_curves", "is_positive", 1), ("topic/0/pr_curves", "topic", 0),
                               ("topic/2/pr_curves", "topic", 2)):
        classes = 2 if truth == "is_positive" else 3
        p = np.array(expected[truth]["probabilities"]).reshape(count, classes)[:, column]
        positive = np.array(expected[truth]["truth"]) == column
        curve = ask(base, "plugin/pr_curves/pr_curves", run=run, tag="evaluation/" + tag)[run][-1]
        check(curve["step"] == 40 and len(curve["thresholds"]) <= 201, f"fast {fast}: {tag}: step")
        for j in range(0, len(curve["thresholds"]), 10):
            chosen = np.floor(p * 200) >= j
            right, wrong = int((chosen & positive).sum()), int((chosen & ~positive).sum())
            missed = int((~chosen & positive).sum())
            check(curve["true_positives"][j] == right and curve["false_positives"][j] == wrong and
                  curve["false_negatives"][j] == missed and
                  curve["true_negatives"][j] == count - right - wrong - missed, f"fast {fast}: {tag}: counts at {j}")
            check(close(curve["recall"][j], right / (right + missed)), f"fast {fast}: {tag}: recall at {j}")
            check(right + wrong == 0 or close(curve["precision"][j], right / (right + wrong)),
                  f"fast {fast}: {tag}: precision at {j}")

    texts = ask(base, "plugin/text/text", run=run, tag="train/examples")
    check([t["step"] for t in texts] == [1, 21], f"fast {fast}: steps of texts")
    page = texts[-1]["text"]
    cells = cells_of(page)
    check(cells[0] == ["text", "is_positive", "is_positive_predicted", "probability"], f"fast {fast}: columns {cells[0]}")
    check(len(cells) == 4 and cells[1][1:] == ["1", "1", "0.875"], f"fast {fast}: first row {cells[1]}")
    for row, wanted in zip(cells[1:], expected["cells"]):
        letters = re.sub(r"\s+", " ", json.loads(wanted)).strip()
        check(re.sub(r"\s+", " ", row[0]) == letters, f"fast {fast}: cell {row[0]!r} for {letters!r}")
    check("<script" not in page and "<a " not in page and "<em>" not in page and "<img" not in page, f"fast {fast}: markup")
    check(cells[3][1:] == ["", "true", "1"], f"fast {fast}: last row {cells[3]}")
    settings = dict(cells_of(ask(base, "plugin/text/text", run=run, tag="settings")[0]["text"])[1:])
    check(settings["settings/data"] == "a|b" and settings["host/cpu"] == "mine", f"fast {fast}: settings {settings}")
    doctor = cells_of(ask(base, "plugin/text/text", run=run, tag="doctor")[0]["text"])
    check(doctor[1] == ["D7", "warning", "sorted <labels>", "a b", "shuffle"], f"fast {fast}: doctor {doctor}")
    error = ask(base, "plugin/text/text", run="failed/tensorboard", tag="error")[0]["text"]
    check(html.unescape(error) == "<p>disk <full></p>", f"fast {fast}: error {error}")

    command = ask(base, "plugin/text/text", run=run, tag="command")[0]["text"]
    check(html.unescape(command.strip()) == "<pre><code>finetune_imdb --out <a> *b*\n</code></pre>",
          f"fast {fast}: command {command!r}")

    experiment = post(base, "plugin/hparams/experiment", {"experimentName": ""})
    names = {info["name"]: info["type"] for info in experiment["hparamInfos"]}
    check(names == {"lr": "DATA_TYPE_FLOAT64", "batch_size": "DATA_TYPE_FLOAT64", "data": "DATA_TYPE_STRING",
                    "demo": "DATA_TYPE_BOOL", "precision": "DATA_TYPE_STRING"}, f"fast {fast}: hparams {names}")
    groups = post(base, "plugin/hparams/session_groups", {
        "experimentName": "", "allowedStatuses": ["STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING", "STATUS_UNKNOWN"],
        "colParams": [{"hparam": "lr"}, {"metric": {"tag": "evaluation/accuracy", "group": ""}}],
        "startIndex": 0, "sliceSize": 100})["sessionGroups"]
    by_rate = {group["hparams"]["lr"]: group for group in groups}
    check(sorted(by_rate) == [1e-5, 2e-5, 3e-5], f"fast {fast}: session groups {sorted(by_rate)}")
    whole = by_rate[1e-5]
    check(whole["hparams"]["batch_size"] == 16 and whole["hparams"]["demo"] is True, f"fast {fast}: values {whole}")
    check(whole["sessions"][0]["status"] == "STATUS_SUCCESS", f"fast {fast}: status {whole['sessions'][0]['status']}")
    check(by_rate[3e-5]["sessions"][0]["status"] == "STATUS_FAILURE", f"fast {fast}: status of the failed run")
    metrics = {m["name"]["tag"]: m["value"] for m in whole["metricValues"]}
    check(close(metrics.get("evaluation/accuracy", 0), 0.875), f"fast {fast}: metrics {metrics}")

print("tensorboard", "reads everything" if failures == 0 else f"{failures} failures")
sys.stdout.flush()
# Threads of the server do not end by themselves.
os._exit(0 if failures == 0 else 1)

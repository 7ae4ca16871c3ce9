"""Reads runs written by hone back with the real wandb package: its messages, its Table, and `wandb sync` against a server here.

    wandb_sync.py PROGRAM FOLDER [RUN...]

PROGRAM is wandb_run.cpp's; FOLDER is for scratch. RUNs are folders of hone's own runs, checked as far as any run can be.
"""

import base64
import hashlib
import json
import math
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import zlib

os.environ["WANDB_ERROR_REPORTING"] = "false"

import yaml
from google.protobuf.unknown_fields import UnknownFieldSet
from wandb.proto import wandb_internal_pb2 as messages
from wandb.sdk.data_types.table import Table

from wandb_server import Server

HUGE = "x" * 300000


def equal(found, expected, what):
    assert found == expected, f"{what}: {found!r:.500} instead of {expected!r:.500}"


def records(path):
    """A log read independently of hone: framing by hand, messages by the package's own classes."""
    data, position, parts = path.read_bytes(), 7, b""
    equal(data[:7], b":W&B\xe1\xbe\x00", "header")
    while position < len(data):
        left = 32768 - position % 32768
        if left < 7:
            equal(data[position:position + left], bytes(left), "padding")
            position += left
            continue
        checksum, length, kind = struct.unpack_from("<IHB", data, position)
        chunk = data[position + 7:position + 7 + length]
        equal(zlib.crc32(chunk, zlib.crc32(bytes([kind]))), checksum, "checksum")
        parts += chunk
        position += 7 + length
        if kind in (1, 4):
            message = messages.Record()
            message.ParseFromString(parts)
            assert message.WhichOneof("record_type"), "an empty record ends the upload"
            no_unknown_fields(message)
            yield message
            parts = b""


def no_unknown_fields(message):
    equal(len(UnknownFieldSet(message)), 0, f"unknown fields of {message.DESCRIPTOR.name}")
    for field, value in message.ListFields():
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            continue
        for inner in value if hasattr(value, "__len__") and not hasattr(value, "ListFields") else [value]:
            no_unknown_fields(inner)


def sync(folder, scratch):
    """Runs `wandb sync`. Returns the server with what it got, the exit status and what was printed."""
    server = Server()
    home = scratch / "home"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_") and "proxy" not in name.lower()}
    environment = dict(kept, WANDB_ERROR_REPORTING="false", WANDB_API_KEY="0" * 40, WANDB_BASE_URL=server.url, HOME=str(home),
                       NO_PROXY="127.0.0.1")
    for name in ("WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR", "WANDB_DIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        environment[name] = str(home)
    done = subprocess.run([pathlib.Path(sys.executable).parent / "wandb", "sync", folder], env=environment, cwd=home,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=240)
    server.close()
    return server, done.returncode, done.stdout.decode("utf8", "replace")


def write(program, folder, kind):
    """Has the program write a run of a kind; returns the run's folder."""
    done = subprocess.run([program, folder, kind], stdout=subprocess.PIPE, timeout=60)
    equal(done.returncode, -9 if kind == "killed" else 0, f"status of {kind}")
    return pathlib.Path(done.stdout.decode().strip())


def log_of(run):
    (log,) = run.glob("*.wandb")
    return log


def parse(line):
    """JSON with NaN, Infinity and -Infinity, as wandb's own history has it."""
    return json.loads(line)


def strict(text):
    def refuse(word):
        raise AssertionError(f"{word} is no JSON")
    return json.loads(text, parse_constant=refuse)


def check_upload(server, status, printed, run):
    """What holds for the upload of every run that was read to its end."""
    equal(status, 0, f"status of wandb sync, which printed {printed}")
    assert "Finished syncing" in printed, printed
    equal(server.unknown, [], "requests that the server has no answer to")
    assert log_of(run).with_suffix(".wandb.synced").exists(), "not marked as uploaded"
    history = [parse(line) for line in server.lines("wandb-history.jsonl")]
    equal([line["_step"] for line in history], list(range(len(history))), "_step")
    runtimes = [line["_runtime"] for line in history]
    equal(runtimes, sorted(runtimes), "_runtime")
    for body in server.artifacts.values():
        equal(body["state"], "COMMITTED", f"state of the artifact {body['artifactCollectionName']}")
    for line in history:
        for key, value in line.items():
            if isinstance(value, dict):
                check_table(server, run, key, value)
    summary = parse(server.lines("wandb-summary.json")[-1])
    equal(same(parse(server.uploads["run/wandb-summary.json"])), same(summary), "summary, streamed and as a file")
    last = {}
    for line in history:
        for key, value in line.items():
            assert isinstance(value, dict) == isinstance(last.get(key, value), dict), f"{key} is a table and a number"
        last.update(line)
    for key, value in last.items():
        equal(same(summary[key]), same(value), f"summary of {key}")
    return history, summary


def same(value):
    """NaN is not equal to itself: a text that is."""
    return json.dumps(value, sort_keys=True)


def check_table(server, run, key, about):
    """A table of the history: its file, its artifact, and the package's own reading of it."""
    incremental = about["log_mode"] == "INCREMENTAL"
    equal(about["_type"], "incremental-table-file" if incremental else "table-file", "type of a table")
    content = server.uploads["run/" + about["path"]]
    equal(content, (run / "files" / about["path"]).read_bytes(), "bytes of a table")
    equal(len(content), about["size"], "size of a table")
    equal(hashlib.sha256(content).hexdigest(), about["sha256"], "sha256 of a table")
    table = strict(content)
    equal((len(table["columns"]), len(table["data"])), (about["ncols"], about["nrows"]), "shape of a table")
    client_id, entry = about["artifact_path"].removeprefix("wandb-client-artifact://").split("/", 1)
    ((number, artifact),) = [(n, a) for n, a in server.artifacts.items() if a["clientID"] == client_id]
    equal(about["_latest_artifact_path"], f"wandb-client-artifact://{artifact['sequenceClientID']}:latest/{entry}", "latest")
    equal(artifact["artifactTypeName"], "wandb-run-incremental-table" if incremental else "run_table", "type of an artifact")
    check_artifact(server, number, artifact, {entry})
    typed = strict(server.uploads[f"artifact/{number}/files/{entry}"])
    equal((typed["columns"], typed["data"]), (table["columns"], table["data"]), "the table as an artifact")
    if not incremental:
        read = Table.from_json(typed, None)
        equal((read.columns, read.data), (table["columns"], table["data"]), "the table as wandb reads it")
        if all(len(types) == 2 for types in kinds(typed)):  # every column is of one kind
            equal(read, Table(columns=table["columns"], data=table["data"]), "the table as wandb builds it")


def kinds(typed):
    return [column["params"]["allowed_types"] for column in typed["column_types"]["params"]["type_map"].values()]


def check_artifact(server, number, artifact, names):
    equal({file["name"] for file in artifact["files"]}, names, "files of an artifact")
    digest = hashlib.md5(b"wandb-artifact-manifest-v1\n")
    manifest = strict(server.uploads[f"artifact/{number}/manifest"])
    equal((manifest["version"], manifest["storagePolicy"]), (1, "wandb-storage-policy-v1"), "manifest")
    for file in sorted(artifact["files"], key=lambda file: file["name"]):
        content = server.uploads[f"artifact/{number}/files/{file['name']}"]
        equal(base64.b64encode(hashlib.md5(content).digest()).decode(), file["md5"], f"md5 of {file['name']}")
        equal(manifest["contents"][file["name"]]["digest"], file["md5"], "digest in the manifest")
        equal(manifest["contents"][file["name"]]["size"], len(content), "size in the manifest")
        digest.update(f"{file['name']}:{file['md5']}\n".encode())
    equal(artifact["digest"], digest.hexdigest(), "digest of an artifact")


def config_of(server):
    """The configuration as the last UpsertBucket left it."""
    configs = [v["config"] for operation, v in server.graphql if operation == "UpsertBucket" and v["config"]]
    return {key: item["value"] for key, item in json.loads(configs[-1]).items()}


def check_whole(program, scratch):
    folder = scratch / "whole"
    run = write(program, folder, "whole")
    assert run.name.startswith("offline-run-") and run.name.endswith("-hone1234"), run
    equal((folder / "wandb" / "latest-run").resolve(), run.resolve(), "latest-run")

    written = list(records(log_of(run)))
    equal([message.num for message in written], list(range(1, len(written) + 1)), "numbers of the records")
    order = [message.WhichOneof("record_type") for message in written]
    equal((order[:2], order[-3:]), (["header", "run"], ["exit", "final", "footer"]), "order of the records")
    start = written[1].run
    assert start.telemetry.feature.lib_cpp and start.telemetry.feature.offline and not start.telemetry.python_version
    assert start.start_time.seconds > 1700000000
    for message in written:
        for entry in message.artifact.manifest.contents:  # wandb may delete these after the upload
            assert pathlib.Path(entry.local_path).is_relative_to(run / "staging"), entry.local_path

    server, status, printed = sync(run, scratch)
    history, summary = check_upload(server, status, printed, run)
    bucket = server.graphql[0][1]
    for name, value in {"name": "hone1234", "project": "a project", "entity": "team", "groupName": "group",
                        "jobType": "train", "notes": "two\nlines", "tags": ["imdb", "tag two"],
                        "displayName": "the <b>name</b> of \U0001f3ac / .. �"}.items():
        equal(bucket[name], value, name)

    config = config_of(server)
    equal(config["settings"], {"lr": 2e-5, "epochs": 1, "model": "all-MiniLM-L6-v2", "none": None}, "settings")
    equal(config["with/slash.and dot"], '"quoted" €', "a key with a slash")
    equal((config["config_wandb"], config["config"], config["bad � bytes"]), ("mine", 1, None), "strange keys")
    settings = yaml.safe_load(server.uploads["run/config.yaml"])["settings"]["value"]
    equal(dict(settings, lr=float(settings["lr"])), config["settings"], "config.yaml")  # 2e-05 is a text in YAML 1.1
    axes = {metric["1"]: metric.get("5") for metric in config["_wandb"]["m"]}
    axis = 1 + [metric["1"] for metric in config["_wandb"]["m"]].index("train/step")
    equal({key: axes[key] for key in ("train/accuracy", "grad_norm/layer.0", "evaluation/accuracy")},
          dict.fromkeys(("train/accuracy", "grad_norm/layer.0", "evaluation/accuracy"), axis), "axes")
    assert 57 in config["_wandb"]["t"]["3"], "the client in C++ is not named"

    steps = [line for line in history if "train/learning_rate" in line]
    equal([line["train/step"] for line in steps], list(range(1, 21)), "steps")
    for line in steps:
        number = line["train/step"]
        loss, stars = line["train/is_positive_loss"], line["train/star_rating_loss"]
        assert math.isnan(loss) if number == 5 else loss == 1 / number, line
        equal(stars, math.inf if number == 6 else 2.5, "star loss")
        equal(line["train/accuracy"], 0.75 if number % 2 == 0 else 1 / 3, "accuracy")
        equal((line["train/learning_rate"], line["train/grad_norm"]), (1e-5, 1.25), "learning rate, norm")
        equal((line["grad_norm/embeddings"], line["grad_norm/layer.0"]), (0.5, 0.25), "norms by layer")
        equal((line["train/tokens_per_second"], line["train/epoch"]), (2000, number // 10), "speed, epoch")
    tables = [line for line in history if "train/../examples" in line]
    equal([line["train/step"] for line in tables], [5, 10, 15, 20], "steps of the tables")
    about = tables[0]["train/../examples"]
    assert about["path"].startswith("media/table/train/__/examples_"), about
    table = strict(server.uploads["run/" + about["path"]])
    equal(table["columns"], ["text", "is_positive", "stars", "right", "text-2", "mixed"], "columns")
    equal(table["data"], [
        ['[CLS] <script>alert(1)</script> & "quotes" \\ \U0001f37f [SEP]', 1, 7.5, True, "twice", 1],
        ["two\nlines\tand a tab", 0, None, False, None, "text"],
        ["byte �( and NUL \0 inside", 5, None, True, "", False],
        [HUGE, 2**63 - 1, 1e300, None, "long", None]], "cells")
    (evaluation,) = [line for line in history if "evaluation/accuracy" in line]
    for key, value in {"train/step": 20, "evaluation/accuracy": 0.875, "evaluation/accuracy_interval_low": 0.8,
                       "evaluation/accuracy_interval_high": 0.9, "evaluation/is_positive/f1": 0.5}.items():
        equal(evaluation[key], value, key)
    assert math.isnan(evaluation["evaluation/nan"])
    rows = {key: strict(server.uploads["run/" + line[key]["path"]])["data"] for line in history for key in line
            if isinstance(line[key], dict)}
    equal(rows["doctor/findings"], [["D12", "warning", "labels are sorted", "detail", "shuffle"]], "findings")
    equal(rows["evaluation/is_positive/confusion"], [[0, 0, 1], [1, 0, 1], [1, 1, 2]], "confusion")
    equal(rows["evaluation/is_positive/worst_mistakes"], [["<i>bad</i>", 0.99]], "worst mistakes")

    equal((summary["results/accuracy"], summary["results/seed"], summary["results/name"]), (0.875, 7, "n"), "results")
    equal(summary["error"], "ended � early", "error")
    assert summary["_wandb"]["runtime"] >= 0

    (sample,) = [parse(line) for line in server.lines("wandb-events.jsonl")]
    for key, value in {"cpu": 75, "cpu.machine": 80, "memory_percent": 75, "proc.cpu.threads": 3, "proc.memory.rssMB": 512,
                       "proc.memory.percent": 12.5, "proc.memory.availableMB": 1024, "disk./.usagePercent": 75,
                       "disk./.usageGB": 75}.items():
        equal(sample["system." + key], value, key)

    output = server.uploads["run/output.log"].decode().split("\n")
    equal(output[:-2], ["before the start"] + [f"step {number}" for number in range(1, 21)], "output.log")
    assert set(output[-2]) == {"y"} and output[-1] == "", "a long line"

    metadata = strict(server.uploads["run/wandb-metadata.json"])
    equal((metadata["program"], metadata["args"]), ("finetune_imdb", ["--seed", "7"]), "wandb-metadata.json")
    equal(server.ends(), [(True, 3)], "exit code")

    ((number, model),) = [(n, a) for n, a in server.artifacts.items() if a["artifactTypeName"] == "model"]
    equal(model["artifactCollectionName"], "run-hone1234-model", "name of the model")
    equal([alias["alias"] for alias in model["aliases"]], ["latest", "final"], "aliases of the model")
    equal(json.loads(model["metadata"]), {"steps": 20, "accuracy": 0.875, "seed": 7}, "metadata of the model")
    check_artifact(server, number, model, {"config.json", "model.safetensors"})
    equal(server.uploads[f"artifact/{number}/files/model.safetensors"], b"w" * 100000, "the model")
    equal((folder / "model.safetensors").read_bytes(), b"w" * 100000, "the model of the run after the upload")
    names = {a["artifactCollectionName"] for a in server.artifacts.values() if a["artifactTypeName"] == "run_table"}
    key = "run-hone1234-train/../examples"
    suffix = base64.urlsafe_b64encode(zlib.crc32(key.encode()).to_bytes(4, "big")).rstrip(b"=").decode()
    assert f"run-hone1234-train..examples-{suffix}" in names, names


def check_killed(program, scratch):
    """A killed run: uploaded as far as it goes, whole after a repair, and continued."""
    folder = scratch / "killed"
    run = write(program, folder, "killed")
    log = log_of(run)
    whole = log.read_bytes()
    before = list(records(log))
    log.write_bytes(whole + b"\x12\x34\x56\x78\xff\x7f\x01torn in the middle of a recor")  # as a kill in a write leaves it

    torn = scratch / "torn"
    shutil.copytree(folder, torn, symlinks=True)
    copy = torn / run.relative_to(folder)
    server, _, printed = sync(copy, scratch)
    equal(server.ends(), [(True, 1)], "exit code of a killed run")
    assert not log_of(copy).with_suffix(".wandb.synced").exists(), "a torn log is not uploaded to its end"
    equal(len(server.lines("wandb-history.jsonl")), 13, "history before the tear")

    write(program, torn, "repair")
    equal(log_of(copy).read_bytes(), whole, "the repaired log")
    server, status, printed = sync(copy, scratch)
    history, _ = check_upload_of_killed(server, status, printed, copy)
    equal([line["train/step"] for line in history if "train/learning_rate" in line], list(range(1, 11)), "steps")
    equal(server.ends(), [(True, 1)], "exit code of a killed run")

    resumed = write(program, folder, "resumed")
    equal(resumed, run, "the folder of the run that goes on")
    after = list(records(log))
    equal(after[:len(before)], before, "records before the kill")
    equal([message.num for message in after], list(range(1, len(after) + 1)), "numbers of the records")
    server, status, printed = sync(run, scratch)
    history, _ = check_upload(server, status, printed, run)
    equal([line["train/step"] for line in history if "train/learning_rate" in line], list(range(1, 21)), "steps")
    equal(server.ends(), [(True, 3)], "exit code")


def check_upload_of_killed(server, status, printed, run):
    """As check_upload, but for what only the end of a run brings."""
    equal(status, 0, f"status of wandb sync, which printed {printed}")
    assert log_of(run).with_suffix(".wandb.synced").exists(), f"not marked as uploaded: {printed}"
    return [parse(line) for line in server.lines("wandb-history.jsonl")], parse(server.lines("wandb-summary.json")[-1])


def check_incremental(program, scratch):
    run = write(program, scratch / "incremental", "incremental")
    server, status, printed = sync(run, scratch)
    history, _ = check_upload(server, status, printed, run)
    parts = [line["train/../examples"] for line in history if "train/../examples" in line]
    equal([part["increment_num"] for part in parts], [0, 1, 2, 3], "numbers of the increments")
    for number, part in enumerate(parts):
        equal(part["previous_increments_paths"], [earlier["artifact_path"] for earlier in parts[:number]], "increments before")
        entry = part["artifact_path"].removeprefix("wandb-client-artifact://").split("/", 1)[1]
        assert entry.startswith(f"{number}-"), entry
    for message in records(log_of(run)):
        if message.WhichOneof("record_type") == "artifact" and message.artifact.type != "model":
            assert message.artifact.incremental_beta1


def check_minimal(program, scratch):
    write(program, scratch / "minimal", "minimal")
    server, status, printed = sync(scratch / "minimal" / "wandb" / "latest-run", scratch)
    equal(status, 0, printed)
    equal(server.ends(), [(True, 0)], "exit code")
    name = server.graphql[0][1]["name"]
    assert len(name) == 8 and set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789"), name


def check_real(folder, scratch):
    """A run of hone's own program: nothing is known of its numbers."""
    (run,) = pathlib.Path(folder, "wandb").glob("offline-run-*")
    for _ in records(log_of(run)):
        pass
    server, status, printed = sync(run, scratch)
    history, summary = check_upload(server, status, printed, run)
    lines = [json.loads(line) for line in pathlib.Path(folder, "metrics.jsonl").read_text().splitlines()]
    steps = [line for line in history if "train/learning_rate" in line]
    equal([line["train/step"] for line in steps], [line["step"] for line in lines], "steps")
    for key in lines[0]:
        if key.endswith("_loss") or key in ("accuracy", "learning_rate", "grad_norm"):
            equal([line["train/" + key] for line in steps], [line[key] for line in lines], key)
    results = json.loads(pathlib.Path(folder, "results.json").read_text())
    equal(summary["evaluation/accuracy"], results["accuracy"], "accuracy")
    assert "run/output.log" in server.uploads
    equal(server.ends(), [(True, 0)], "exit code")
    tables = {key for line in history for key in line if isinstance(line[key], dict)}
    assert {"train/examples", "doctor/findings", "evaluation/is_positive/worst_mistakes"} <= tables, tables
    model = [a for a in server.artifacts.values() if a["artifactTypeName"] == "model"]
    equal(len(model), 1, "models")
    (number,) = [n for n, a in server.artifacts.items() if a is model[0]]
    equal(server.uploads[f"artifact/{number}/files/model.safetensors"], pathlib.Path(folder, "model.safetensors").read_bytes(),
          "the model")
    print(f"{folder}: {len(steps)} steps, {len(server.artifacts)} artifacts, {len(server.uploads)} uploads")


def main():
    program, scratch = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    for check in (check_minimal, check_whole, check_incremental, check_killed):
        check(program, scratch)
        print(check.__name__, "passed", flush=True)
    for folder in sys.argv[3:]:
        check_real(folder, scratch)


if __name__ == "__main__":
    main()

#!/usr/bin/env bash
# benchmarks/gpu.sh where there is no GPU: it says so, builds nothing and answers 3.
set -euo pipefail
source_dir=$1 work_dir=$3
if command -v nvidia-smi >/dev/null && nvidia-smi -L 2>/dev/null | grep -q '^GPU '; then
  echo "SKIPPED: there is a GPU"
  exit 4
fi
rm -rf "$work_dir"
mkdir -p "$work_dir"
code=0
"$source_dir/benchmarks/gpu.sh" --build "$work_dir/build" >"$work_dir/output" 2>&1 || code=$?
cat "$work_dir/output"
[ "$code" -eq 3 ] || { echo "the exit code is $code, not 3"; exit 1; }
grep -q "no GPU" "$work_dir/output" || { echo "it does not say that there is no GPU"; exit 1; }
[ ! -e "$work_dir/build" ] || { echo "it built something"; exit 1; }
code=0
"$source_dir/benchmarks/gpu.sh" --what >"$work_dir/output" 2>&1 || code=$?
[ "$code" -eq 2 ] || { echo "a wrong option: exit code $code, not 2"; exit 1; }

# Its table, from figures that are made up.
command -v python3 >/dev/null || exit 0
cat >"$work_dir/hone.jsonl" <<'LINES'
{"what":"device","device":{"name":"GPU X"},"peak_bf16_tflops":800.0,"peak_copy_tb_per_s":4.0}
{"what":"training_step","model":"bert-base","precision":"mixed","lengths":"imdb","ms":6.5,"share_of_peak":0.45,"memory_mib":3100.5}
{"what":"training","model":"bert-base","precision":"mixed","lengths":"imdb, all sizes, graphs","ms":6.25,"memory_mib":3200.0}
{"what":"kernel","kernel":"adamw","lengths":"imdb","us":1000.0,"count":1,"gbytes_per_s":3250.0,"share_of_limit":0.8,"limit":"bandwidth"}
{"what":"kernel","kernel":"linear_forward_up","lengths":"imdb","us":40.0,"count":12,"gbytes_per_s":900.0,"tflops":530.0,"share_of_limit":0.66,"limit":"products"}
{"what":"evaluation","model":"bert-base","precision":"mixed","reviews":25000,"s":2.4,"memory_mib":900.0}
LINES
cat >"$work_dir/peer.jsonl" <<'LINES'
{"what":"training_step","model":"bert-base","precision":"mixed","lengths":"imdb","ms":13.0,"attention":"sdpa"}
{"what":"training_step","model":"bert-base","precision":"mixed","lengths":"imdb","ms":19.5,"attention":"sdpa"}
{"what":"training_step","model":"bert-base","precision":"mixed","lengths":"imdb","ms":9.75,"attention":"packed"}
PyTorch, bert-base, 16x512, packed, compiled True: flash-attn is not installed
LINES
(cd "$source_dir" && python3 -B benchmarks/gpu_table.py "$work_dir") >"$work_dir/output"
cat "$work_dir/output"
for row in 'bert-base mixed imdb +6.50ms +13.00ms +2.00 +9.75ms +1.50 +45% +310[01]MiB' 'graphs +6.25ms' \
  'adamw +1000.0 +1 +1.00 +3250 +80% bandwidth' 'linear_forward_up +40.0 +12 +0.48 +900 +530 +66% products' \
  'one after the other +1.48' 'evaluation bert-base mixed +2.40 s'; do
  grep -Eq "$row" "$work_dir/output" || { echo "the table has no row like: $row"; exit 1; }
done
python3 -c 'import json, sys; figures = json.load(open(sys.argv[1])); assert len(figures["hone"]) == 6 and len(figures["pytorch"]) == 3' \
  "$work_dir/gpu.json"

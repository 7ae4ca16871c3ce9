#!/usr/bin/env bash
# benchmarks/peer_cpu.sh without PyTorch: wrong options, data that is not there, and its table from figures that are made up.
set -euo pipefail
source_dir=$1 work_dir=$3
rm -rf "$work_dir"
mkdir -p "$work_dir"

# answers CODE ARGUMENTS...: what the script says is in $work_dir/output.
answers() {
  local expected=$1 code=0
  shift
  "$source_dir/benchmarks/peer_cpu.sh" "$@" >"$work_dir/output" 2>&1 || code=$?
  [ "$code" -eq "$expected" ] || { cat "$work_dir/output"; echo "$*: exit code $code, not $expected"; exit 1; }
}
says() {
  grep -Eq -- "$1" "$work_dir/output" || { cat "$work_dir/output"; echo "there is no line like: $1"; exit 1; }
}
answers 2 --what
if grep -q 'set -' "$work_dir/output"; then
  echo "the usage goes beyond the comment"
  exit 1
fi
says '^Exit code 0'
answers 4 --peer "$work_dir/none.py" --data "$work_dir"
says 'there is no .*none.py'

command -v python3 >/dev/null || exit 0
export PYTHONDONTWRITEBYTECODE=1
# AVX2 alone: bf16 was hopeless and was not timed; the middle of three turns counts; nothing is missed.
cat >"$work_dir/avx2.jsonl" <<'LINES'
{"processor": "X", "threads": 2, "amx": false, "instructions": ["avx2"], "date": "2026-01-01", "tcmalloc": true, "hone": "0.1.0"}
{"model": "minilm", "trial": {"fp32": 473.0, "bf16": 51.0}}
{"model": "minilm", "part": "plain", "turn": 0, "side": "torch", "asked": "fp32", "precision": "fp32", "version": "2.15.0", "steps": 5, "peak_bytes": 2147483648, "tokens_per_s": 100.0, "eval_s": null}
{"model": "minilm", "part": "plain", "turn": 0, "side": "hone", "asked": "fp32", "precision": "fp32", "peak_bytes": 1073741824, "tokens": 9, "tokens_per_s": 650.0}
{"model": "minilm", "part": "best", "turn": 0, "side": "torch", "asked": "fp32", "precision": "fp32", "version": "2.15.0", "steps": 5, "peak_bytes": 2147483648, "tokens_per_s": 1000.0, "eval_s": null}
{"model": "minilm", "part": "best", "turn": 0, "side": "hone", "asked": "auto", "precision": "fp32", "peak_bytes": 1073741824, "tokens": 9, "tokens_per_s": 1900.0}
{"model": "minilm", "part": "best", "turn": 1, "side": "hone", "asked": "auto", "precision": "fp32", "peak_bytes": 1073741824, "tokens": 9, "tokens_per_s": 100.0}
{"model": "minilm", "part": "best", "turn": 2, "side": "hone", "asked": "auto", "precision": "fp32", "peak_bytes": 1073741824, "tokens": 9, "tokens_per_s": 1250.0}
LINES
answers 0 --table "$work_dir/avx2.jsonl"
says 'minilm +plain +100 +fp32 +2.00 +650 +fp32 +1.00 +6.5x +6.0x$'
says 'minilm +best +1000 +fp32 +2.00 +1250 +fp32 +1.00 +1.2x +1.2x$'
says 'minilm: PyTorch in bf16 was not timed as its better precision: 51 tokens/s against 473 in fp32'

# With AMX: the better precision of PyTorch counts; a goal is missed.
cat >"$work_dir/amx.jsonl" <<'LINES'
{"processor": "X", "threads": 2, "amx": true, "instructions": ["avx2", "amx_bf16"], "date": "2026-01-01", "tcmalloc": false, "hone": "0.1.0"}
{"model": "bert-base", "trial": {"fp32": 100.0, "bf16": 180.0}}
{"model": "bert-base", "part": "best", "turn": 0, "side": "torch", "asked": "bf16", "precision": "bf16", "version": "2.15.0", "steps": 5, "peak_bytes": 2147483648, "tokens_per_s": 1000.0, "eval_s": null}
{"model": "bert-base", "part": "best", "turn": 0, "side": "hone", "asked": "auto", "precision": "mixed", "peak_bytes": 1073741824, "tokens": 9, "tokens_per_s": 2300.0}
LINES
answers 1 --table "$work_dir/amx.jsonl"
says 'bert-base +best +1000 +bf16 +2.00 +2300 mixed +1.00 +2.3x +4.0x  missed'
says 'WITHOUT tcmalloc'
if grep -q 'not timed as' "$work_dir/output"; then
  echo "a precision of half the speed or more was called hopeless"
  exit 1
fi

# A run that was ended before its first figure.
sed -n 1,2p "$work_dir/amx.jsonl" >"$work_dir/none.jsonl"
answers 1 --table "$work_dir/none.jsonl"
says 'nothing was timed yet'

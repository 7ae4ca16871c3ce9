#!/usr/bin/env bash
# A short run on generated reviews: what is written is complete, two runs are equal, and predict loads the saved model.
#   embedded.sh FOLDER_OF_THE_PROGRAMS WORK_DIR
set -uo pipefail
programs=$1 work=$2
rm -rf "$work" && mkdir -p "$work" && cd "$work" || exit 1

failures=0
fail() { echo "FAILED: $*"; failures=$((failures + 1)); }

run() {  # run FOLDER THREADS
  "$programs/finetune_imdb" --train-examples 64 --test-examples 20 --num-steps 3 --threads "$2" --out "$1" >"$1.txt" 2>&1 </dev/null || {
    cat "$1.txt"
    fail "the run of $1"
  }
}
run one 1
run two 2

for file in config.json model.safetensors metrics.jsonl results.json predictions.jsonl; do
  [ -s "one/$file" ] || fail "no one/$file"
done
[ "$(wc -l <one/metrics.jsonl)" -eq 3 ] || fail "metrics.jsonl has not one line a step"
[ "$(wc -l <one/predictions.jsonl)" -eq 20 ] || fail "predictions.jsonl has not one line a test review"
for field in step is_positive_loss star_rating_loss accuracy learning_rate grad_norm tokens seconds; do
  [ "$(grep -c "\"$field\":" one/metrics.jsonl)" -eq 3 ] || fail "metrics.jsonl: $field"
done
for field in accuracy star_mae cross_entropy test_examples train_seconds train_tokens_per_second eval_seconds seed; do
  grep -q "\"$field\":" one/results.json || fail "results.json: $field"
done
cmp one/model.safetensors two/model.safetensors || fail "one thread and two give other weights"
cmp one/predictions.jsonl two/predictions.jsonl || fail "one thread and two give other predictions"
tail -n 5 one.txt | grep -q -- '--model .*--data' || fail "the end of the run does not say how the real thing is run"

code=0
"$programs/finetune_imdb" --num-steps 3 --out one >again.txt 2>&1 </dev/null || code=$?
{ [ "$code" -eq 1 ] && grep -q '^\[hone-E' again.txt; } || fail "a second run into the same folder was not refused"

if [ -x "$programs/predict" ]; then
  "$programs/predict" one "An excellent film." >predict.txt 2>&1 </dev/null || { cat predict.txt; fail "predict"; }
fi

[ "$failures" -eq 0 ] && echo "all as expected"

#!/usr/bin/env bash
# The program hone, command by command: what it writes and answers, exit codes, settings files, what it refuses.
#   hone.sh FOLDER_OF_THE_PROGRAMS WORK_DIR
set -uo pipefail
programs=$1 work=$2
rm -rf "$work" && mkdir -p "$work" && cd "$work" || exit 1
hone=$programs/hone
unset COLUMNS

failures=0
fail() { echo "FAILED: $*"; failures=$((failures + 1)); }
# refused NUMBER ARGUMENTS...: exit code 1, one line with the number on standard error, the last one
refused() {
  local number=$1 code=0
  shift
  "$hone" "$@" >out 2>err </dev/null || code=$?
  if [ "$code" -ne 1 ] || [ "$(grep -c "^\[hone-E$number\] .*Next: " err)" -ne 1 ]; then
    fail "hone $* answered $code instead of 1 with one line of hone-E$number:"
    cat out err
  fi
}
# runs ARGUMENTS...: exit code 0, output in out
runs() {
  local code=0
  "$hone" "$@" >out 2>err </dev/null || code=$?
  [ "$code" -eq 0 ] || { fail "hone $* answered $code:"; cat out err; }
}
has() { grep -qF -- "$1" out || { fail "no '$1' in:"; cat out; }; }

# Help: alone, of each command; the version.
commands='finetune evaluate predict inspect compare report doctor info completion'
runs
for command in $commands; do has "  $command "; done
has 'Exit codes: 0'
cp out help
runs --help
cmp -s out help || fail "hone and hone --help differ"
for command in $commands; do
  runs "$command" --help
  has "Usage: hone $command"
  has 'Exit codes: 0'
  [ "$(grep -c "^  hone $command" out)" -ge 2 ] || fail "hone $command --help has no two examples"
  [ "$(awk '{ if (length($0) > 100) print }' out | wc -l)" -eq 0 ] || fail "hone $command --help has lines of over 100 columns"
done
runs --version
has 'hone 0.'

# Command lines that are not right.
refused 901 predcit
grep -q 'did you mean predict?' err || fail "no suggestion for predcit"
refused 901 finetune --epoch 3
grep -q 'did you mean --epochs?' err || fail "no suggestion for --epoch"
refused 901 finetune --batch-size 0
refused 901 predict
refused 901 evaluate runs --split dev
refused 901 completion tcsh
refused 902 finetune --data .
refused 930 inspect .
refused 930 info no-such-folder
refused 2.. predict no-such-folder text
left=$(find . -type f ! -name out ! -name err ! -name help)
[ -z "$left" ] || fail "left behind: $left"

# A run with everything.
small=(--train-examples 96 --test-examples 24 --num-steps 4 --eval-every 2 --table-every 2)
runs finetune "${small[@]}" --out one --tensorboard --wandb-name first
for file in config.json model.safetensors metrics.jsonl evaluations.jsonl tables.jsonl results.json predictions.jsonl \
  report.html wandb/latest-run; do
  [ -e "one/$file" ] || fail "no one/$file"
done
ls one/tensorboard/events.out.tfevents.* >/dev/null 2>&1 || fail "no events for TensorBoard"
ls one/wandb/offline-run-*/run-*.wandb >/dev/null 2>&1 || fail "no run for Weights & Biases"
has 'wandb sync '
has 'tensorboard --logdir '
has "$hone predict one"
[ "$(wc -l <one/evaluations.jsonl)" -eq 2 ] || fail "evaluations.jsonl has not a line for step 2 and one for the end"
[ "$(grep -c '"key":"train/examples"' one/tables.jsonl)" -eq 3 ] || fail "tables.jsonl has not the tables of steps 1, 2, 4"
[ "$(grep -c '"text":"[^"]' one/predictions.jsonl)" -eq 24 ] || fail "predictions.jsonl has no texts"
grep -q '"wandb": true' one/results.json || fail "--wandb-name does not mean --wandb"
refused 910 finetune "${small[@]}" --out one

# Settings: what was printed and stored, fed back, gives the same bits; the command line wins; what is wrong is refused.
runs finetune --config one/results.json --out two --no-wandb
has '--train-examples 96'
has '--no-wandb'
cmp one/model.safetensors two/model.safetensors || fail "the settings of results.json give another model"
cmp one/predictions.jsonl two/predictions.jsonl || fail "the settings of results.json give other predictions"
runs finetune --config one --seed 7 --threads 1 --no-tensorboard --no-wandb --no-doctor --no-report --out three
cmp -s one/model.safetensors three/model.safetensors && fail "--seed on the command line does not win"
grep -q '"seed": 7' three/results.json || fail "the seed of the command line is not stored"
for file in tensorboard wandb report.html; do [ -e "three/$file" ] && fail "three/$file was not asked for"; done
printf '{"train_examples": 96, "test_examples": 24, "num_steps": 1, "lr": 1e-3, "doctor": false, "dropout": null}' >some.json
runs finetune --config some.json --lr 5e-4 --out four
has '--lr 0.0005'
has '--train-examples 96'
bad() { # bad NUMBER JSON
  printf '%s' "$2" >bad.json
  refused "$1" finetune --config bad.json --out five
}
bad 920 '{"epoch": 3}'
grep -q 'Next: write epochs' err || fail "no nearest key"
bad 920 '{"batch-size": 3}'
bad 921 '{"epochs": "3"}'
bad 921 '{"epochs": 1.5}'
bad 921 '{"lr": -1}'
bad 921 '{"batch_size": 0}'
bad 921 '{"wandb": 1}'
bad 921 '{"out": 1}'
bad 922 '[1]'
bad 922 '3'
bad 210 '{"lr": }'
bad 215 '{"lr": 1, "lr": 2}'
bad 902 '{"model": "somewhere"}'
refused 201 finetune --config no-such-file.json --out five
[ -e five ] && fail "five was made"

# predict: arguments, lines, JSON lines, files; errors stay in their place.
runs predict one 'what a film' '  dull  '
[ "$(grep -c '^{"source":"argument [12]","is_positive":\(true\|false\),"is_positive_probability":' out)" -eq 2 ] || fail "arguments"
printf 'one\ntwo\n\nfour' | "$hone" predict one --batch-size 2 >out 2>err
[ $? -eq 1 ] || fail "an empty line has not exit code 1"
grep -q 'hone-E927.*1 of 4' err || fail "no E927"
[ "$(sed 's/.*"source":"\(line [0-9]\)".*/\1/' out | tr '\n' ,)" = 'line 1,line 2,line 3,line 4,' ] || fail "the order of lines"
[ "$(grep -c '"error":{"number":"E404"' out)" -eq 1 ] || fail "no error in the place of the empty line"
printf '{"text":"good","id":7}\n{"txt":1}\nno JSON\n{"text":"bad","id":"b"}\r\n' | "$hone" predict one --file - >out 2>err
[ "$(grep -c '^{"id":\(7\|"b"\),"source"' out)" -eq 2 ] || fail "ids are not handed through"
grep -q '"line 2","error":{"number":"E926"' out || fail "a line without text"
grep -q '"line 3","error":{"number":"E210"' out || fail "a line that is no JSON"
printf '{"text":"good"}\n' >lines.jsonl
runs predict one --file lines.jsonl --format text --whole-file lines.jsonl
[ "$(wc -l <out)" -eq 2 ] || fail "files"
head -c 20000000 /dev/zero | tr '\0' a | "$hone" predict one >out 2>err && fail "a line of 20 MB"
grep -q 'hone-E926' err || fail "no E926 for a line of 20 MB"
mkfifo ask answers
"$hone" predict one <ask >answers 2>/dev/null &
process=$!
exec 3>ask 4<answers
for text in first second; do # an answer comes before the input ends
  echo "$text" >&3
  read -r -t 60 answer <&4 || fail "no answer to a line while the input is open"
  [ "${answer:0:16}" = '{"source":"line ' ] || fail "an answer: $answer"
done
exec 3>&- 4<&-
wait "$process" || fail "the end of the input"
"$hone" predict one text >/dev/full 2>err && fail "a full disk is no error"
grep -q 'hone-E701' err || { fail "no E701 for a full disk"; cat err; }

# evaluate: the same measures and predictions as the run's own.
runs evaluate one
cmp one/predictions.jsonl one/evaluation/predictions.jsonl || fail "evaluate gives other predictions"
measure() { sed -n 's/^  "accuracy": \([0-9.]*\),$/\1/p' "$1"; }
[ -n "$(measure one/results.json)" ] || fail "results.json has no accuracy"
[ "$(measure one/results.json)" = "$(measure one/evaluation/evaluation.json)" ] || fail "evaluate gives another accuracy"
runs evaluate one --split train --out trained --worst 0
[ "$(wc -l <trained/predictions.jsonl)" -eq 96 ] || fail "evaluate --split train"
refused 911 evaluate one --out one
refused 930 evaluate .
mkdir model && cp one/{config.json,model.safetensors,tokenizer.json} model
refused 902 evaluate model

# inspect without a terminal: keys from standard input.
truth=$(sed -n '1s/.*"is_positive":\([01]\).*"star_rating":\([0-9]*\).*/\1 \2/p' one/predictions.jsonl)
key=$([ "${truth% *}" = 1 ] && echo p || echo n)
stars=${truth#* }
printf '%s %s s q' "$key" "$stars" | "$hone" inspect one --sort file >out 2>err || { fail "inspect"; cat err; }
has 'you: 1 of 1 sentiments right, stars off by 0.00; the model: '
[ "$(grep -c ' of 24$' out)" -eq 3 ] || { fail "not three texts were shown"; cat out; }
printf 'p10\n' | "$hone" inspect one --sort random --seed 3 --count 1 >out 2>err || fail "inspect --sort random"
has 'stars      10 '
"$hone" inspect one </dev/null >out 2>err || fail "inspect without an answer"
has 'no text was guessed'
refused 923 inspect model
sed 's/,"text":.*/}/' one/predictions.jsonl >model/predictions.jsonl
refused 924 inspect model
echo nonsense >model/predictions.jsonl
refused 931 inspect model

# compare, info, doctor.
runs compare one two
has 'is_positive'
runs compare one three --every-pair
refused 9.. compare one no-such-run
runs compare one two --json --html both.html
has '"tests"'
grep -q '</html>' both.html || fail "compare --html"
runs report one/evaluation
grep -q '</html>' one/evaluation/report.html || fail "no report of an evaluation"
runs report one --out again.html --no-marks
grep -q '</html>' again.html || fail "report --out"
refused 930 report .
runs info
for word in compiler cpu_features libraries available_threads; do has "$word"; done
runs info one
has 'train_examples'
runs info one --json
has '"accuracy"'
runs doctor --train-examples 200 --test-examples 50
has 'D05'
[ -e runs ] && fail "the doctor has made a folder"
mkdir -p data/{train,test}/{pos,neg}
for i in 0 1 2 3 4 5 6 7; do # one text, both labels: nothing can be learnt
  for part in train test; do
    echo "The same film, seen again." >data/$part/pos/${i}_9.txt
    echo "The same film, seen again." >data/$part/neg/${i}_2.txt
  done
done
refused 928 doctor --model model --data data
refused 928 finetune --model model --data data --out six
[ -e six ] && fail "a run with an error was begun"
runs finetune --model model --data data --out six --no-strict --num-steps 1
has 'error'
has 'the run goes on all the same'

[ "$failures" -eq 0 ] && echo "all as expected"

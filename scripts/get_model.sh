#!/usr/bin/env bash
# Downloads a BERT model in Hugging Face's layout: configuration, weights (safetensors) and vocabulary.
#
#   scripts/get_model.sh NAME [--base URL] [--revision NAME] [--output FOLDER] [--force]
#
#   NAME             as on the hub: bert-base-cased, google-bert/bert-base-uncased, sentence-transformers/all-MiniLM-L6-v2
#   --base URL       where models lie (default https://huggingface.co); files are at URL/NAME/resolve/REVISION/FILE
#   --revision NAME  branch, tag or commit (default main)
#   --output FOLDER  where to put the model (default models/NAME)
#   --force          downloads again what is there already
#
# An interrupted download is continued by the same command. Needs curl or wget.
set -euo pipefail
# shellcheck source=scripts/download.sh
source "$(dirname "${BASH_SOURCE[0]}")/download.sh"

base=https://huggingface.co revision=main output='' name='' force=false
while [ $# -gt 0 ]; do
  case $1 in
    --base | --revision | --output)
      if [ $# -lt 2 ]; then say "$1 needs a value"; exit 2; fi
      case $1 in --base) base=${2%/} ;; --revision) revision=$2 ;; --output) output=$2 ;; esac
      shift 2 ;;
    --force) force=true; shift ;;
    -h | --help) usage; exit 0 ;;
    -*) say "unknown argument $1"; usage >&2; exit 2 ;;
    *) if [ -n "$name" ]; then say "one model at a time: $name, $1"; exit 2; fi; name=$1; shift ;;
  esac
done
if [ -z "$name" ]; then usage >&2; exit 2; fi
if ! [[ $name =~ ^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)?$ ]] || [[ $name == *..* ]]; then
  say "$name is no model's name. Next: write it as on the hub, for example bert-base-cased or google-bert/bert-base-cased."
  exit 2
fi
output=${output:-models/$name}
from=$base/$name/resolve/$revision

# get FILE KIND: 0 when it is there, 1 when the server has none.
get() {
  local code=0
  fetch "$from/$1" "$output/$1" "$2" || code=$?
  if [ $code -eq 44 ]; then return 1; fi
  return $code
}

if ! get config.json json; then
  say "there is no model $name at $base (no config.json). Next: check the name and --base."
  exit 1
fi
vocabulary=false
if get vocab.txt text; then vocabulary=true; fi
if get tokenizer.json json; then vocabulary=true; fi
if ! $vocabulary; then
  say "$name has neither vocab.txt nor tokenizer.json. Next: choose a model with a BERT vocabulary."
  exit 1
fi
get tokenizer_config.json json || say "no tokenizer_config.json; hone takes its defaults"
if ! get model.safetensors safetensors; then
  if ! get model.safetensors.index.json json; then  # weights in several files
    say "$name has no weights as safetensors. Next: choose another --revision (some are in refs/pr/1), or another model."
    exit 1
  fi
  shards=$(grep -o '"[A-Za-z0-9_.-]*\.safetensors"' "$output/model.safetensors.index.json" | tr -d '"' | sort -u)
  for shard in $shards; do
    if ! get "$shard" safetensors; then
      say "$name is incomplete on the server: $shard is missing. Next: choose another --revision."
      exit 1
    fi
  done
fi
say "Next: --model $output"

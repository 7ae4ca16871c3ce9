#!/usr/bin/env bash
# Tests scripts/get_imdb.sh and scripts/get_model.sh against a server on the loopback address, with curl and with wget.
set -euo pipefail
project=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
if ! python3 -c 'import http.server' 2>/dev/null; then echo "SKIPPED: no python3 for the test server"; exit 4; fi
work=$(mktemp -d)
server=
stop_server() { if [ -n "$server" ]; then kill "$server" 2>/dev/null; wait "$server" 2>/dev/null || true; fi; server=; }
trap 'stop_server; rm -rf "$work"' EXIT
cd "$work"
export HONE_RETRY_SECONDS=0 no_proxy=127.0.0.1
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY

serve() {  # serve OPTIONS...: starts the server anew
  stop_server
  rm -f port requests
  python3 "$project/tests/support/range_server.py" files port --log requests "$@" &
  server=$!
  local i
  for ((i = 0; i < 200; ++i)); do if [ -e port ]; then break; fi; sleep 0.05; done
  base=http://127.0.0.1:$(cat port)
}
fail() { echo "FAILED ($downloader): $*"; sed 's/^/  | /' said 2>/dev/null; sed 's/^/  > /' requests 2>/dev/null; exit 1; }
expect() {  # expect CODE TEXT COMMAND...: the command ends with CODE and says TEXT
  local wanted=$1 text=$2 code=0
  shift 2
  "$@" >said 2>&1 || code=$?
  if [ "$code" != "$wanted" ]; then fail "code $code, expected $wanted: $*"; fi
  if ! grep -q -- "$text" said; then fail "does not say \"$text\": $*"; fi
}
imdb() { "$project/scripts/get_imdb.sh" --base "$base" --output out "$@"; }
model() { "$project/scripts/get_model.sh" "$@" --base "$base"; }
same() { if ! cmp -s "$1" "$2"; then fail "$1 and $2 differ"; fi; }
absent() { if [ -e "$1" ]; then fail "$1 is there"; fi; }
archive=aclImdb_v1.tar.gz

run_all() {
  rm -rf out models files
  mkdir files
  head -c 300000 /dev/urandom | gzip -n >files/$archive
  local sum size
  sum=$(sha256sum files/$archive | cut -d ' ' -f 1)
  size=$(wc -c <files/$archive)

  serve
  expect 0 "sha256 $sum" imdb
  same out/$archive files/$archive
  absent out/$archive.part
  absent out/$archive.part.version
  expect 0 "is there already" imdb
  if [ "$(wc -l <requests)" != 1 ]; then fail "asked again for what is there"; fi

  # One break: continued in the same run, with a range.
  rm -rf out
  serve --cut 100000 --cuts 1
  expect 0 "continues at byte 100000" imdb
  same out/$archive files/$archive
  grep -q 'bytes=100000- 206' requests || fail "no range was asked for"

  # It goes on as long as something arrives.
  rm -rf out
  serve --cut 50000
  expect 0 "continues at byte 250000" imdb
  same out/$archive files/$archive

  # Killed in the middle: only a part is there, which the next run continues.
  local signal script i
  for signal in TERM KILL; do
    rm -rf out
    serve --cut 120000 --hang
    setsid "$project/scripts/get_imdb.sh" --base "$base" --output out >said 2>&1 &
    script=$!
    for ((i = 0; i < 400; ++i)); do
      if [ -e out/$archive.part ] && [ "$(wc -c <out/$archive.part)" -ge 100000 ]; then break; fi
      sleep 0.05
    done
    kill -s $signal -- -$script
    wait $script 2>/dev/null && fail "a killed run ends as if all were well"
    absent out/$archive
    serve
    expect 0 "continues out/$archive at byte 1" imdb
    same out/$archive files/$archive
    grep -q 'bytes=1[0-9]*- 206' requests || fail "no range was asked for"
  done

  # The file on the server is another one by now: nothing is patched together.
  rm -rf out
  mkdir out
  head -c 120000 /dev/zero >out/$archive.part
  echo '"another"' >out/$archive.part.version
  expect 0 "begins again" imdb
  same out/$archive files/$archive

  # The part is complete already, or longer than the file.
  rm -rf out
  mkdir out
  cp files/$archive out/$archive.part
  expect 0 "sha256 $sum" imdb
  same out/$archive files/$archive
  rm -f out/$archive
  head -c $((size + 5)) /dev/zero >out/$archive.part
  expect 0 "begins again" imdb
  same out/$archive files/$archive

  # A server that cannot continue: from the beginning.
  rm -rf out
  mkdir out
  head -c 120000 files/$archive >out/$archive.part
  serve --no-ranges
  expect 0 "begins again" imdb
  same out/$archive files/$archive
  rm -rf out
  serve --no-ranges --no-version --cut 100000 --cuts 1
  expect 0 "begins again" imdb
  same out/$archive files/$archive

  # Failures: a clear message, code 1, and a good file of before stays.
  rm -rf out
  serve
  expect 1 "no aclImdb_v1.tar.gz at" imdb --base "$base/nowhere"
  absent out/$archive
  absent out/$archive.part
  expect 1 "checksum" imdb --md5 0123456789abcdef0123456789abcdef
  absent out/$archive
  expect 0 "sha256" imdb --md5 "$(md5sum files/$archive | cut -d ' ' -f 1)"
  expect 1 "no aclImdb_v1.tar.gz at" imdb --force --base "$base/nowhere"
  same out/$archive files/$archive
  mkdir -p files/portal files/busy
  echo '<html>log in</html>' >files/portal/$archive
  echo 503 >files/busy/$archive.status
  expect 1 "is not what it should be" imdb --force --base "$base/portal"
  expect 1 "status 503" imdb --force --base "$base/busy"
  same out/$archive files/$archive
  stop_server
  expect 1 "cannot reach" imdb --force
  same out/$archive files/$archive
  # A name that nobody knows, a server that never answers: said by the downloader's exit code (what a real name server
  # does with an unknown name depends on the network).
  local codes=(6 28) code
  if [ "$downloader" = wget ]; then codes=(4); fi
  mkdir -p stand_in
  for code in "${codes[@]}"; do
    printf '#!/bin/sh\nexit %s\n' "$code" >"stand_in/$downloader"
    chmod +x "stand_in/$downloader"
    PATH=$PWD/stand_in:$PATH expect 1 "cannot reach" imdb --force
  done
  same out/$archive files/$archive
  serve
  (trap '' XFSZ; ulimit -f 64; imdb --force >said 2>&1) && fail "no failure without space"
  grep -q "cannot write" said || fail "does not say that it cannot write"
  same out/$archive files/$archive
  expect 0 "continues" imdb --force
  same out/$archive files/$archive
  expect 0 "Usage\|scripts/get_imdb.sh" imdb --help
  expect 2 "unknown argument" imdb --frobnicate
  expect 2 "needs a value" imdb --output

  # A model: required and optional files, redirects, shards.
  local from=files/tiny/resolve/main
  mkdir -p $from files/store
  echo '{"model_type": "bert"}' >$from/config.json
  printf '[PAD]\n[UNK]\n' >$from/vocab.txt
  { printf '\x02\0\0\0\0\0\0\0{}'; head -c 90000 /dev/urandom; } >files/store/weights
  echo /store/weights >$from/model.safetensors.redirect
  serve --cut 40000 --cuts 2
  expect 0 "Next: --model models/tiny" model tiny
  same models/tiny/config.json $from/config.json
  same models/tiny/vocab.txt $from/vocab.txt
  same models/tiny/model.safetensors files/store/weights
  grep -q 'weights bytes=40000- 206' requests || fail "no range was asked for"
  absent models/tiny/tokenizer.json
  absent models/tiny/tokenizer.json.part
  expect 0 "is there already" model tiny

  mkdir -p files/org/sharded/resolve/v2
  cp $from/config.json $from/vocab.txt files/org/sharded/resolve/v2
  echo '{"weight_map": {"a": "model-1-of-2.safetensors", "b": "model-2-of-2.safetensors"}}' \
    >files/org/sharded/resolve/v2/model.safetensors.index.json
  cp files/store/weights files/org/sharded/resolve/v2/model-1-of-2.safetensors
  expect 1 "model-2-of-2.safetensors is missing" model org/sharded --revision v2 --output m
  cp files/store/weights files/org/sharded/resolve/v2/model-2-of-2.safetensors
  expect 0 "Next: --model m" model org/sharded --revision v2 --output m
  same m/model-2-of-2.safetensors files/store/weights
  rm -rf m

  expect 1 "there is no model nothing" model nothing
  mkdir -p files/pointer/resolve/main files/closed/resolve/main files/torch/resolve/main
  cp $from/config.json $from/vocab.txt files/pointer/resolve/main
  printf 'version https://git-lfs.github.com/spec/v1\noid sha256:00\n' >files/pointer/resolve/main/model.safetensors
  expect 1 "is not what it should be" model pointer
  absent models/pointer/model.safetensors
  echo 401 >files/closed/resolve/main/config.json.status
  expect 1 "needs a login" model closed
  cp $from/config.json files/torch/resolve/main
  expect 1 "neither vocab.txt nor tokenizer.json" model torch
  cp $from/vocab.txt files/torch/resolve/main
  expect 1 "no weights as safetensors" model torch
  expect 2 "no model's name" model ../../etc
  expect 2 "get_model.sh NAME" model
}

ran=0
for downloader in curl wget; do
  if command -v "$downloader" >/dev/null; then
    HONE_DOWNLOADER=$downloader run_all
    ran=$((ran + 1))
    echo "passed with $downloader"
  fi
done
if [ $ran = 0 ]; then echo "SKIPPED: neither curl nor wget"; exit 4; fi

# Downloads that can be interrupted; sourced by get_imdb.sh and get_model.sh, not run.
# shellcheck shell=bash
#
# A file gets its final name only when it is complete. Until then it is NAME.part, which the next run continues; beside it
# NAME.part.version keeps the server's ETag or date, so that a file that has changed since is begun again and not patched
# together.

say() { echo "hone: $*" >&2; }

# checksum_of FILE: its SHA-256.
checksum_of() {
  if command -v sha256sum >/dev/null; then
    sha256sum "$1" | cut -d ' ' -f 1
  elif command -v shasum >/dev/null; then
    shasum -a 256 "$1" | cut -d ' ' -f 1
  else
    echo "(no program that computes it)"
  fi
}

size_of() { if [ -e "$1" ]; then wc -c <"$1" | tr -d ' '; else echo 0; fi; }

# header NAME: its value in the last response that is written in $headers.
header() {
  tr -d '\r' <"$headers" | sed 's/^ *//' | awk -v name="$1" '
    /^HTTP\// { value = "" }
    index(tolower($0), tolower(name) ":") == 1 { value = substr($0, length(name) + 2); sub(/^ */, "", value) }
    END { print value }'
}

status() { tr -d '\r' <"$headers" | sed -n 's/^ *HTTP\/[0-9.]* \([0-9][0-9][0-9]\).*/\1/p' | tail -n 1; }

# one_try URL PART: continues PART, or begins it. 0: complete, 1: what went wrong is in $trouble:
#   absent, refused (other HTTP errors), again (begin from zero), network, unreachable, disk
one_try() {
  local url=$1 part=$2 code=0 version='' continued=false
  local -a resume=()
  : >"$headers"
  if [ "$(size_of "$part")" -gt 0 ]; then
    continued=true
    if [ -s "$part.version" ]; then version=$(cat "$part.version"); fi
  fi
  if command -v curl >/dev/null && [ "${HONE_DOWNLOADER:-curl}" = curl ]; then
    if $continued; then resume=(--continue-at -); fi
    if [ -n "$version" ]; then resume+=(--header "If-Range: $version"); fi
    if [ -t 2 ]; then resume+=(--progress-bar); else resume+=(--silent); fi
    curl --fail --location --show-error --connect-timeout 30 --speed-limit 1 --speed-time 60 \
      --dump-header "$headers" --output "$part" "${resume[@]}" -- "$url" 2> >(tee "$messages" >&2) || code=$?
    case $code in
      0) trouble='' ;;
      22) trouble=refused ;;                # --fail: the status says why
      33) trouble=again ;;                  # asked to continue, got the whole file
      23) trouble=disk ;;
      3 | 5 | 6 | 7 | 35 | 60) trouble=unreachable ;;
      28) if [ -n "$(status)" ]; then trouble=network; else trouble=unreachable; fi ;;  # too slow, or never answered
      *) trouble=network ;;
    esac
  elif command -v wget >/dev/null; then
    if $continued; then resume=(--continue); fi
    if [ -n "$version" ]; then resume+=(--header="If-Range: $version"); fi
    if [ -t 2 ]; then resume+=(--show-progress); fi
    wget --no-verbose --server-response --tries=1 --timeout=60 --output-document="$part" "${resume[@]}" -- "$url" \
      >"$messages" 2>&1 || code=$?
    grep '^ ' "$messages" >"$headers" || true
    case $code in
      0) trouble='' ;;
      3) trouble=disk ;;
      4) if [ -n "$(status)" ]; then trouble=network; else trouble=unreachable; fi ;;
      5) trouble=unreachable ;;
      6 | 8) trouble=refused ;;
      *) trouble=network ;;
    esac
    if $continued && [ "$(status)" = 200 ]; then trouble=again; fi  # got the whole file where a part was asked for
    if [ "$trouble" = network ] && grep -qi 'no space left\|cannot write' "$messages"; then trouble=disk; fi
  else
    say "needs curl or wget, and found neither. Next: install one (apt-get install curl)."
    exit 1
  fi
  case $(status) in
    200 | 206)
      version=$(header etag)
      if [ -z "$version" ] || [ "${version:0:2}" = W/ ]; then version=$(header last-modified); fi
      if [ -n "$version" ]; then echo "$version" >"$part.version"; else rm -f "$part.version"; fi ;;
    404 | 410) trouble=absent ;;
    416)  # nothing to continue: the part is complete, or it is of another file
      if [ "$(header content-range)" = "bytes */$(size_of "$part")" ]; then trouble=''; else trouble=again; fi ;;
    4* | 5*) trouble=refused ;;
  esac
  [ -z "$trouble" ]
}

# looks_right FILE KIND: is it what it should be, and not a web page or a Git LFS pointer under its name?
looks_right() {
  local start
  start=$(head -c 512 "$1" | tr -d '\0' | head -c 16)
  case $2 in
    gzip) [ "$(head -c 2 "$1" | od -An -tx1 | tr -d ' \n')" = 1f8b ] ;;
    json) [ "${start:0:1}" = '{' ] ;;
    safetensors) [ "$(head -c 9 "$1" | tail -c 1)" = '{' ] ;;
    *) [ -s "$1" ] && [ "${start:0:1}" != '<' ] && [ "${start:0:15}" != 'version https:/' ] ;;
  esac
}

# fetch URL FILE KIND: 0: FILE is there and complete, 44: the server has no such file. Other failures end the script.
fetch() {
  local url=$1 file=$2 kind=$3 part=$2.part size_before restarts=0 stuck=0
  if [ -e "$file" ] && ! ${force:-false}; then
    say "$file is there already ($(size_of "$file") bytes; --force downloads it again)"
    say "  sha256 $(checksum_of "$file")"
    return 0
  fi
  mkdir -p "$(dirname "$file")" || exit 1
  headers=$(mktemp) messages=$(mktemp)
  # shellcheck disable=SC2064  # the names as they are now
  trap "rm -f '$headers' '$messages'" EXIT
  trap 'echo >&2; say "stopped. Next: run the same command again; it continues."; exit 130' INT TERM
  if [ "$(size_of "$part")" -gt 0 ]; then
    say "continues $file at byte $(size_of "$part")"
  else
    say "downloads $url"
  fi
  while true; do
    size_before=$(size_of "$part")
    if one_try "$url" "$part"; then break; fi
    case $trouble in
      absent)
        rm -f "$part" "$part.version"
        return 44 ;;
      again)
        restarts=$((restarts + 1))
        if [ $restarts -gt 3 ]; then
          say "$url changes while it is downloaded. Next: try again later, or another --base."
          exit 1
        fi
        say "the server cannot continue this file, or it has changed: begins again"
        rm -f "$part" "$part.version" ;;
      refused)
        case $(status) in
          401 | 403) say "the server refuses $url (status $(status)): it needs a login, or there is no such model." \
                       "Next: check the name; fetch a model that asks for a login in a browser." ;;
          *) say "the server answers $url with status $(status). Next: try again later, or another --base." ;;
        esac
        exit 1 ;;
      unreachable)
        say "cannot reach the server of $url. Next: check the network, or name another server with --base."
        exit 1 ;;
      disk)
        say "cannot write $part. Next: free some space ($(df -Ph "$(dirname "$part")" | awk 'NR == 2 { print $4 }') left" \
          "there), then run the same command again; it continues."
        exit 1 ;;
      *)  # the connection broke off: go on as long as something arrives
        if [ "$(size_of "$part")" -gt "$size_before" ]; then stuck=0; else stuck=$((stuck + 1)); fi
        if [ $stuck -ge 3 ]; then
          say "the connection keeps breaking off at byte $(size_of "$part") of $url." \
            "Next: run the same command again later; it continues."
          exit 1
        fi
        say "the connection broke off; continues at byte $(size_of "$part")"
        sleep "${HONE_RETRY_SECONDS:-2}" ;;
    esac
  done
  if ! looks_right "$part" "$kind"; then
    say "$url is not what it should be ($kind), but something that begins: $(head -c 60 "$part" | tr -cd '[:print:]')"
    say "Next: check the name and --base; a web page here often means that a network asks for a login."
    rm -f "$part" "$part.version"
    exit 1
  fi
  local md5=${expected_md5:-}
  if [ -n "$md5" ] && command -v md5sum >/dev/null; then md5=$(md5sum "$part" | cut -d ' ' -f 1); fi
  if [ "$md5" != "${expected_md5:-}" ]; then
    say "$url has another checksum than the published file (md5 $md5, expected $expected_md5)."
    say "Next: run the same command again, which begins from zero; if it stays so, do not use the file."
    rm -f "$part" "$part.version"
    exit 1
  fi
  mv -f "$part" "$file"
  rm -f "$part.version"
  say "$file: $(size_of "$file") bytes"
  say "  sha256 $(checksum_of "$file")"
}

# usage: the comment at the head of the script that was called.
usage() { sed -n '2,/^set /p' "$0" | sed -n 's/^# \{0,1\}//p'; }

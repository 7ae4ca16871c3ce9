#!/usr/bin/env bash
# Downloads the Large Movie Review Dataset (aclImdb_v1.tar.gz, 80 MiB; Maas et al., ACL 2011), which hone reads as it is.
#
#   scripts/get_imdb.sh [--base URL] [--output FOLDER] [--force]
#
#   --base URL       where the archive lies (default https://ai.stanford.edu/~amaas/data/sentiment)
#   --output FOLDER  where to put it (default data)
#   --md5 SUM        checksum the archive must have (default: the published one; "none" with a --base of your own)
#   --force          downloads again what is there already
#
# An interrupted download is continued by the same command. Needs curl or wget.
set -euo pipefail
# shellcheck source=scripts/download.sh
source "$(dirname "${BASH_SOURCE[0]}")/download.sh"

published=https://ai.stanford.edu/~amaas/data/sentiment
base=$published output=data expected_md5='' force=false
while [ $# -gt 0 ]; do
  case $1 in
    --base | --output | --md5)
      if [ $# -lt 2 ]; then say "$1 needs a value"; exit 2; fi
      case $1 in --base) base=${2%/} ;; --output) output=$2 ;; --md5) expected_md5=$2 ;; esac
      shift 2 ;;
    --force) force=true; shift ;;
    -h | --help) usage; exit 0 ;;
    *) say "unknown argument $1"; usage >&2; exit 2 ;;
  esac
done
if [ -z "$expected_md5" ] && [ "$base" = "$published" ]; then expected_md5=7c2ac02c03563afcf9b574c7e56c153a; fi
if [ "$expected_md5" = none ]; then expected_md5=''; fi

found=0
fetch "$base/aclImdb_v1.tar.gz" "$output/aclImdb_v1.tar.gz" gzip || found=$?
if [ $found -ne 0 ]; then
  say "there is no aclImdb_v1.tar.gz at $base. Next: check --base."
  exit 1
fi
say "Next: --data $output/aclImdb_v1.tar.gz"

#!/usr/bin/env bash
# report.html in a headless Chromium: nothing on the console, no request, no hostile text that is more than text, keys,
# labels, contrast, phones; pictures are left in SCRATCH/pictures. report_page.sh SOURCE PROGRAMS SCRATCH
# With HONE_READ=no the page is written alone.
set -euo pipefail
source=$1 programs=$2 scratch=$3
rm -rf "$scratch"
mkdir -p "$scratch"
"$programs/report_page" "$scratch/pages"
if [ "${HONE_READ:-yes}" = no ]; then exit; fi
python=$(bash "$source/scripts/python_environment.sh") || { echo "SKIPPED: no Python environment"; exit 4; }
exec "$python" "$source/tests/readback/report_page.py" "$scratch/pages" "$scratch/pictures"

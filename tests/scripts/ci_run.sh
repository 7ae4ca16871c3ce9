#!/usr/bin/env bash
# .ci/run in a folder of its own with a stand-in for scripts/test.sh: its last line and its exit code tell the truth.
#   ci_run.sh SOURCE_DIR BUILD_DIR WORK_DIR
set -euo pipefail
source_dir=$1 work=$3
rm -rf "$work" && mkdir -p "$work/.ci" "$work/scripts" "$work/build" "$work/build-asan"
cp "$source_dir/.ci/run" "$work/.ci/run"

failures=0
# expect CODE LAST_LINE RELEASE ASAN: each suite is "tests failures skipped exit-code", or "- exit-code" without results.
expect() {
  cat >"$work/scripts/test.sh" <<SCRIPT
#!/usr/bin/env bash
suite="$3"; while [ \$# -gt 0 ]; do case \$1 in --preset) suite="$4"; shift 2 ;; --junit) file=\$2; shift 2 ;; *) shift ;; esac; done
read -r tests failed skipped code <<<"\$suite"
if [ "\$tests" = - ]; then exit "\$failed"; fi
printf '<testsuite name="x"\n\ttests="%s"\n\tfailures="%s"\n\tdisabled="0"\n\tskipped="%s"\n>\n' "\$tests" "\$failed" "\$skipped" >"\$file"
for ((i = 0; i < failed; ++i)); do
  printf '\t<testcase name="broken %s" classname="x" status="fail">\n\t\t<system-out>why %s\n' \$i \$i
  printf '\t</system-out>\n\t</testcase>\n'
done >>"\$file"
printf '\t<testcase name="fine" classname="x" status="run">\n\t</testcase>\n</testsuite>\n' >>"\$file"
exit "\$code"
SCRIPT
  chmod +x "$work/scripts/test.sh"
  local code=0 last
  bash "$work/.ci/run" >"$work/out" 2>&1 || code=$?
  last=$(tail -n 1 "$work/out")
  if [ "$code" != "$1" ] || [ "$last" != "$2" ]; then
    echo "FAILED: '$3' and '$4' gave exit code $code and '$last', not $1 and '$2'"
    failures=$((failures + 1))
  fi
}
expect 0 "13 passed, 0 failed, 2 skipped" "10 0 1 0" "5 0 1 0"
expect 1 "12 passed, 2 failed, 1 skipped" "10 2 1 8" "5 0 0 0"
for line in "=== failed: broken 0" "why 0" "=== failed: broken 1" "why 1"; do
  grep -q "$line" "$work/out" || { echo "FAILED: the log does not end with '$line'"; failures=$((failures + 1)); }
done
if grep -q "failed: fine" "$work/out"; then echo "FAILED: a passed test is called failed"; failures=$((failures + 1)); fi
expect 1 "10 passed, 1 failed, 0 skipped" "10 0 0 0" "- 2"       # the second did not build
expect 1 "5 passed, 1 failed, 0 skipped" "- 2" "5 0 0 0"
expect 1 "14 passed, 1 failed, 1 skipped" "10 0 1 8" "5 0 0 0"   # ctest says that something did not run
expect 1 "0 passed, 0 failed, 0 skipped" "0 0 0 0" "0 0 0 0"     # no test at all

[ "$failures" -eq 0 ] && echo "all as expected"

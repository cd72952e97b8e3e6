#!/bin/bash
# Runs commands that the test sends, one a line: NUMBER SECONDS BASE64. Answers: NUMBER EXITCODE BASE64.
port=/dev/virtio-ports/slipway.check
work=$(mktemp -d /run/slipway-check.XXXXXX)

while :; do
  # Reading ends while nobody is connected outside; the port is opened again then.
  if [[ -e $port ]] && exec 3<>"$port"; then
    while IFS=' ' read -r -u 3 number seconds command; do
      base64 -d <<<"$command" >"$work/command" 2>/dev/null || continue
      timeout -k 5 "$seconds" bash "$work/command" >"$work/out" 2>&1 </dev/null 3>&-
      code=$?
      printf '%s %s %s\n' "$number" "$code" "$(base64 -w0 <"$work/out")" >&3
    done
    exec 3>&-
  fi
  sleep 0.3
done

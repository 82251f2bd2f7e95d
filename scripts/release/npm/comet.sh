#!/bin/sh
# Starts the executable for this machine, which the package manager has installed beside this
# package as one of its optional dependencies. The shell becomes the program, so signals reach that.
set -eu

self=$0
while [ -h "$self" ]; do
  target=$(readlink "$self")
  case $target in
    /*) self=$target ;;
    *) self=$(dirname "$self")/$target ;;
  esac
done
here=$(CDPATH='' cd "$(dirname "$self")" && pwd -P)

case $(uname -s) in
  Linux) system=linux ;;
  Darwin) system=darwin ;;
  *) system=$(uname -s) ;;
esac
case $(uname -m) in
  x86_64 | amd64) machine=x64 ;;
  aarch64 | arm64) machine=arm64 ;;
  *) machine=$(uname -m) ;;
esac
names=$system-$machine
# Some package managers install those for both C libraries.
if [ "$system" = linux ]; then
  if [ -e /lib64/ld-linux-x86-64.so.2 ] || [ -e /lib/ld-linux-aarch64.so.1 ]; then
    names="$names $names-musl"
  else
    names="$names-musl $names"
  fi
fi

for name in $names; do
  folder=$here
  while :; do
    program=$folder/node_modules/comet-server-$name/bin/comet
    if [ -x "$program" ]; then exec "$program" "$@"; fi
    if [ "$folder" = / ]; then break; fi
    folder=$(dirname "$folder")
  done
done
echo "comet: there is no executable for $system-$machine here: the package" \
  "comet-server-$system-$machine is not installed, as without optional dependencies" >&2
exit 69

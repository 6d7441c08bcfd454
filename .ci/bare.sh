#!/usr/bin/env bash
# Shows that a fresh checkout works where there is next to nothing: makes the root folder of a bare Debian 12 with Go,
# git and make, clones this checkout into it (what is committed), and runs make there with the targets given (default:
# demo test). What make then installs with apt-get must be what it said before, neither more nor less. Needs root,
# debootstrap and the network; takes some GB in .cache/bare, which are removed at the end unless KEEP=1.
set -euo pipefail
cd "$(dirname "$0")/.."

targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(demo test)
root=$PWD/.cache/bare/root
mirror=${MIRROR:-http://deb.debian.org/debian}
path=/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

[ "$(id -u)" = 0 ] || { echo "bare: needs root, to make a root folder and change into it" >&2; exit 1; }

# Everything below the root is mounted in a mount namespace of its own, so that nothing is mounted there when it is
# removed.
inside() { # command...
  # shellcheck disable=SC2016 # $0 and $@ are for the inner shell
  unshare --mount --pid --fork --kill-child bash -euc '
    mount -t proc proc "$0/proc"
    mount --rbind /dev "$0/dev"
    mount -t tmpfs -o mode=1777 shm "$0/dev/shm"
    exec chroot "$0" /usr/bin/env -i HOME=/root "PATH='"$path"'" TERM="${TERM:-dumb}" "$@"' "$root" "$@"
}

rm -rf "$root"
mkdir -p "$root"
finish() { [ "${KEEP:-}" = 1 ] || rm -rf "$root"; }
trap finish EXIT

began=$SECONDS
debootstrap --variant=minbase --include=ca-certificates,git,make bookworm "$root" "$mirror" \
  >.cache/bare/debootstrap.log 2>&1 ||
  { tail -n 20 .cache/bare/debootstrap.log >&2; echo "bare: debootstrap failed" >&2; exit 1; }
cp -a "$(go env GOROOT)" "$root/usr/local/go"
# The way to the network is the machine's: its resolver, and the authorities it trusts besides Debian's.
cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
if compgen -G '/usr/local/share/ca-certificates/*.crt' >/dev/null; then
  cp /usr/local/share/ca-certificates/*.crt "$root/usr/local/share/ca-certificates/"
  inside update-ca-certificates >/dev/null 2>&1
fi
git clone -q --no-local "$PWD" "$root/root/tocsin"
echo "bare: Debian $(cat "$root/etc/debian_version") with $(inside dpkg-query -f '.\n' -W | wc -l) packages," \
  "$(inside go env GOVERSION), $(inside git --version), $(inside make --version | sed -n 1p): made in $((SECONDS - began)) s"
for absent in java mvn gcc psql python3 curl; do
  if inside sh -c "command -v $absent" >/dev/null; then echo "bare: $absent is there: the root is not bare" >&2; exit 1; fi
done

manual() { inside apt-mark showmanual | sort; }
manual >.cache/bare/before
log=.cache/bare/transcript.log
: >"$log"
for target in "${targets[@]}"; do
  began=$SECONDS
  echo "bare: make $target"
  inside make --no-print-directory -C /root/tocsin "$target" </dev/null 2>&1 | tee -a "$log" ||
    { echo "bare: make $target: failed after $((SECONDS - began)) s" >&2; exit 1; }
  echo "bare: make $target: passed in $((SECONDS - began)) s, $(du -sh "$root" | cut -f 1) in the root folder"
done

# Packages installed on purpose, and those that were named first.
manual | comm -13 .cache/bare/before - >.cache/bare/installed
sed -n 's/^setup: installing with apt-get: //p' "$log" | tr ' ' '\n' | sed '/^$/d' | sort -u >.cache/bare/named
if ! diff .cache/bare/named .cache/bare/installed >&2; then
  echo "bare: what was installed (>) is not what was named before (<)" >&2
  exit 1
fi
echo "bare: installed what it had named first: $(tr '\n' ' ' <.cache/bare/installed)"

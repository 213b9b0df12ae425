#!/bin/sh
# debian:trixie-slim from Debian's own packages, for a machine that reaches a Debian mirror but no container registry.
#
#   docker/make-base-image.sh [TAG]      (as root; TAG defaults to debian:trixie-slim)
#
# Certificates in /usr/local/share/ca-certificates of this machine are taken over, so that package clients inside a build trust what this
# machine trusts. MIRROR names another mirror than debootstrap's own, SUITE another release.
set -eu

tag=${1:-debian:trixie-slim}
suite=${SUITE:-trixie}
own_certificates=/usr/local/share/ca-certificates

fail() { echo "make-base-image: $*" >&2; exit 1; }
[ "$(id -u)" = 0 ] || fail "debootstrap must run as root"
for program in debootstrap docker; do
    command -v "$program" >/dev/null || fail "$program is missing (Debian: apt-get install $program)"
done

work=$(mktemp -d)
root=$work/root
trap 'rm -rf "$work"' EXIT
debootstrap --variant=minbase "$suite" "$root" ${MIRROR:+"$MIRROR"} >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "debootstrap failed"; }

# What makes it slim: no documents, no translations, now or when packages are added; and no caches.
cat >"$root/etc/dpkg/dpkg.cfg.d/slim" <<EOF
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/man/*
path-exclude /usr/share/info/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/lintian/*
EOF
printf 'Acquire::Languages "none";\nAPT::Install-Recommends "false";\n' >"$root/etc/apt/apt.conf.d/slim"
find "$root/usr/share/doc" -type f ! -name copyright -delete
find "$root/usr/share/doc" -mindepth 1 -empty -delete
rm -rf "$root"/usr/share/man/* "$root"/usr/share/info/* "$root"/usr/share/locale/* "$root"/usr/share/lintian
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/*.log "$root"/var/log/apt/*
: >"$root/etc/machine-id"
rm -f "$root/etc/resolv.conf" "$root/etc/hostname"

if [ -d "$own_certificates" ]; then
    mkdir -p "$root$own_certificates"
    find "$own_certificates" -name '*.crt' -exec cp {} "$root$own_certificates/" \;
fi

tar -C "$root" --numeric-owner -cf - . | docker import \
    --change 'CMD ["bash"]' --change "LABEL org.opencontainers.image.title=debian-$suite-slim" - "$tag" >/dev/null
echo "$tag: $(docker image inspect --format '{{.Size}}' "$tag" | awk '{printf "%.0f MB", $1 / 1e6}')"

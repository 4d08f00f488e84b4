#!/bin/sh
# Makes the root file system of a small Debian with Python as an uncompressed tar archive, for
# machines that reach Debian's packages and no image registry. Needs root and debootstrap.
#
#   make_rootfs.sh ARCHIVE
set -eu

archive=$1
packages=ca-certificates,libgomp1,libnuma1,libtcmalloc-minimal4,python3,python3-venv
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

debootstrap --variant=minbase --include="$packages" bookworm "$root" >&2

# Package lists and archives, logs, manuals and translations; licences stay.
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* "$root"/var/cache/debconf/*-old \
	"$root"/var/log/* "$root"/usr/share/man/* "$root"/usr/share/locale/* "$root"/usr/share/info/*
find "$root/usr/share/doc" -depth ! -type d ! -name copyright -delete
find "$root/usr/share/doc" -depth -type d -empty -delete

tar --create --numeric-owner --sort=name --file="$archive" --directory="$root" \
	--exclude=./dev/* --exclude=./proc/* --exclude=./sys/* .

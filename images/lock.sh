#!/bin/sh
# Resolves the pinned requirements of the images and of the tiny test model anew.
set -eu
cd "$(dirname "$0")/.."

# resolve FOLDER/NAME [OPTION...]: NAME.in -> NAME.txt with hashes.
resolve() {
	file=$1
	shift
	uv pip compile "$file.in" "$@" --output-file "$file.txt" --generate-hashes --no-annotate \
		--no-header --no-emit-index-url --upgrade --quiet
}

resolve images/build-requirements --universal --python-version 3.11
for file in images/vllm-cpu/requirements tests/model/requirements; do
	resolve "$file" --overrides images/vllm-cpu/overrides.txt --python-version 3.11 \
		--python-platform x86_64-manylinux_2_34
done

#!/bin/sh
# Renews the locks: hashes for every platform, no index address. `dev` is solved first, the others are parts of it.
set -eu
cd "$(dirname "$0")/.."
solve() {
    uv pip compile --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-annotate --no-header --quiet "$@"
}
solve pyproject.toml --extra all --group dev -o requirements/dev.txt
solve pyproject.toml --extra all -c requirements/dev.txt -o requirements/all.txt
# What the images hold; each has exactly one of the two ONNX Runtimes.
for extra in gateway worker worker-gpu; do
    solve pyproject.toml --extra "$extra" --extra postgres --extra tracing -c requirements/dev.txt -o "requirements/$extra.txt"
done
solve --group build -c requirements/dev.txt -o requirements/build.txt
solve --group bench -c requirements/dev.txt -o requirements/bench.txt
solve --group audit -c requirements/dev.txt -o requirements/audit.txt

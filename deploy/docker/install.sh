#!/bin/sh
# Installs a lock into the environment that is shipped, without what only tests and developers need.
set -eu
target=/opt/facefleet
/opt/pip/bin/pip --python $target/bin/python install --require-hashes --no-compile --requirement "$1"
site=$($target/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
find "$site" -depth -type d \( -name tests -o -name test \) -exec rm -rf {} +
# Symbols for debuggers are a third of some extensions. Bundled libraries (*.libs) were patched and break if stripped.
find "$site" -name '*.so' -not -path '*.libs/*' -exec strip --strip-unneeded --preserve-dates {} +
# Hashed, not dated: the same packages give the same bytes. A read-only root can keep no caches of its own.
$target/bin/python -m compileall -q --invalidation-mode unchecked-hash -j 0 "$site"

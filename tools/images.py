"""Builds the images of the service with podman or docker, whichever is here, and prints how large they are.

Where no registry of images can be reached, the base is made from Debian's packages by mmdebstrap, under the same name.
Everything is dated by the commit, so that the same commit gives the same layers.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[1]
BASE = "docker.io/library/debian:12-slim"
TARGETS = ("gateway", "worker-cpu", "worker-gpu")
USUAL = ("gateway", "worker-cpu")
_SUITE = "bookworm"
_OCI = "org.opencontainers.image"
_PULL_SECONDS = 120
# What slim images leave out, as Debian's own image of that name does.
_EXCLUDED = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")
_PACKAGES = ("podman", "buildah", "runc", "mmdebstrap")
_HOOKS = "/usr/share/mmdebstrap/hooks/merged-usr"
# Without systemd, as in most containers that build; crun does not take control groups of both versions at once.
_CONTAINERS = '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'


class ImageError(Exception):
    """An image cannot be built here; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Engine:
    """The program that builds and runs containers.

    Attributes:
        program: ``podman`` or ``docker``.
        environment: Variables that it is run with.
    """

    program: str
    environment: Mapping[str, str]

    def run(self, *arguments: str, seconds: float | None = None) -> str:
        """Its output; raises ``ImageError`` with what it said where it fails."""
        command = [self.program, *arguments]
        # Not in this folder: the monitor of a container that runs out of memory leaves a file where it was started.
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=seconds, cwd=tempfile.gettempdir()
        )
        if done.returncode:
            raise ImageError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-4000:]}")
        return done.stdout

    def has(self, image: str) -> bool:
        """Whether an image is here."""
        command = [self.program, "image", "inspect", image]
        return subprocess.run(command, env=self.environment, capture_output=True).returncode == 0


def find_engine() -> Engine:
    """Docker where its daemon answers, else podman, which is installed from Debian's packages where we may.

    Raises:
        ImageError: Neither is here.
    """
    environment = dict(os.environ)
    docker = shutil.which("docker")
    if docker and not subprocess.run([docker, "info"], capture_output=True).returncode:
        return Engine("docker", environment)
    if not shutil.which("podman") or not shutil.which("buildah"):
        _install()
    if "CONTAINERS_CONF" not in environment and not Path("/run/systemd/system").exists():
        file = Path(tempfile.gettempdir()) / f"facefleet-containers-{os.getuid()}.conf"
        file.write_text(_CONTAINERS)
        environment["CONTAINERS_CONF"] = str(file)
    return Engine("podman", environment)


def _install() -> None:
    if os.geteuid() or not shutil.which("apt-get"):
        raise ImageError(f"Install docker or {', '.join(_PACKAGES)}.")
    for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-qq", "--no-install-recommends", *_PACKAGES]):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def make_base(engine: Engine, epoch: int) -> None:
    """Have the base here: pulled, or made of packages."""
    if engine.has(BASE):
        return
    try:
        engine.run("pull", "--quiet", BASE, seconds=_PULL_SECONDS)
    except (ImageError, subprocess.TimeoutExpired):
        print(f"{BASE} cannot be pulled: it is made by mmdebstrap.")
        _bootstrap(engine, epoch)


def _bootstrap(engine: Engine, epoch: int) -> None:
    if not shutil.which("mmdebstrap"):
        _install()
    with tempfile.TemporaryDirectory() as folder:
        tar = Path(folder) / "base.tar"
        command = [
            "mmdebstrap", "--quiet", "--variant=minbase", "--include=ca-certificates,usr-is-merged",
            f"--hook-dir={_HOOKS}", *(f"--dpkgopt=path-exclude={path}" for path in _EXCLUDED),
            "--dpkgopt=path-include=/usr/share/doc/*/copyright", _SUITE, str(tar),
        ]  # fmt: skip
        subprocess.run(command, check=True, env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch)})
        engine.run("import", str(tar), BASE)


def build(engine: Engine, target: str, epoch: int) -> str:
    """Build one image; its name, ``facefleet-<target>``."""
    name = f"facefleet-{target}"
    labels = {"revision": _git("rev-parse", "HEAD"), "version": version("facefleet")}
    what = ["--target", target, "--tag", name, "--file", "deploy/docker/Dockerfile", "."]
    if engine.program == "docker":
        arguments = [word for label, value in labels.items() for word in ("--build-arg", f"{label.upper()}={value}")]
        _quietly(engine, epoch, "docker", "build", *arguments, *what)
        return name
    options = ["--layers", "--isolation", "chroot", *_dated(epoch), *_authorities(engine.environment)]
    _quietly(engine, epoch, "buildah", "bud", *options, *what)
    # It takes a layer from its cache whatever the values of the arguments are, so the labels are set afterwards.
    container = _quietly(engine, epoch, "buildah", "from", name)
    words = [word for label, value in labels.items() for word in ("--label", f"{_OCI}.{label}={value}")]
    _quietly(engine, epoch, "buildah", "config", *words, container)
    _quietly(engine, epoch, "buildah", "commit", "--rm", *_dated(epoch), container, name)
    return name


def _dated(epoch: int) -> Sequence[str]:
    return ["--format", "docker", "--timestamp", str(epoch)]  # the OCI format has no health check


def _quietly(engine: Engine, epoch: int, *command: str) -> str:
    environment = {**engine.environment, "SOURCE_DATE_EPOCH": str(epoch)}
    return subprocess.run(
        command, check=True, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    ).stdout.strip()


def _authorities(environment: Mapping[str, str]) -> Sequence[str]:
    """Lend the build this machine's certificate authorities, where it has some of its own; the image keeps none."""
    file = environment.get("SSL_CERT_FILE")
    return ["--volume", f"{file}:/etc/ssl/certs/ca-certificates.crt:ro"] if file else []


def _git(*arguments: str) -> str:
    command = [shutil.which("git") or "git", *arguments]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def wanted_targets(arguments: Sequence[str] | None = None) -> list[str]:
    """The targets of a command line, by default those that run anywhere; ends the program where one is unknown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "targets", nargs="*", metavar="TARGET", help=f"{', '.join(TARGETS)}; default: {', '.join(USUAL)}"
    )
    wanted: list[str] = parser.parse_args(arguments).targets
    if unknown := set(wanted).difference(TARGETS):
        parser.error(f"there is no target {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    return wanted or list(USUAL)


def main(arguments: Sequence[str] | None = None) -> int:
    """Build what is asked for; status 1 where that cannot be done here."""
    wanted = wanted_targets(arguments)
    try:
        engine = find_engine()
        epoch = int(_git("log", "-1", "--format=%ct"))
        make_base(engine, epoch)
        for target in wanted:
            name = build(engine, target, epoch)
            size = int(engine.run("image", "inspect", "--format", "{{.Size}}", name))
            print(f"{name:22} {size / 1e6:7.0f} MB")
    except (ImageError, subprocess.CalledProcessError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

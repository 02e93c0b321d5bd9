"""Lists the parts of each lock, or of an image, as CycloneDX 1.6: Python packages, and Debian's of an image.

A lock gives names, versions and hashes; licences are added from the metadata of what is installed here. An image is
asked for all that is installed in it. The same input gives the same bytes, so that lists can be compared.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from email.message import Message
from importlib.metadata import PackageNotFoundError, metadata, version
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

from tools.images import ROOT, Engine, ImageError, find_engine

LOCKS = ("gateway", "worker", "worker-gpu")
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)([^\n]*(?:\n[ \t]+[^\n]*)*)", re.MULTILINE)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
# Python of the image tells its own packages, dpkg those of Debian, whose copyright files name the licences.
_ASK = """
import json, re, subprocess, sys
from importlib.metadata import distributions
from pathlib import Path
fields = ("Name", "Version", "License-Expression", "License")
python = [{**{f: d.metadata.get(f) for f in fields}, "Classifier": d.metadata.get_all("Classifier") or []}
          for d in distributions()]
asked = "-f=${Package}\\t${Version}\\t${Architecture}\\t${db:Status-Status}\\n"
debian = []
for line in subprocess.run(["dpkg-query", "-W", asked], capture_output=True, text=True, check=True).stdout.splitlines():
    name, version, architecture, status = line.split("\\t")
    file = Path("/usr/share/doc", name, "copyright")
    text = file.read_text(errors="replace") if file.is_file() else ""
    licences = re.findall(r"^License:[ \\t]*(\\S.*?)[ \\t]*$", text, re.M) if text.startswith("Format:") else []
    if status == "installed":
        debian.append([name, version, architecture, sorted(set(licences))])
json.dump({"python": python, "debian": debian}, sys.stdout)
"""


@dataclass(frozen=True, slots=True)
class Part:
    """A package.

    Attributes:
        name: As its registry spells it.
        version: Of it.
        purl: Package URL.
        licences: An SPDX expression alone, or names as its authors wrote them.
        expression: Whether it is that expression.
        hashes: SHA-256 of the files that the lock takes.
    """

    name: str
    version: str
    purl: str
    licences: tuple[str, ...] = ()
    expression: bool = False
    hashes: tuple[str, ...] = ()

    def document(self) -> Mapping[str, Any]:
        """As a component of CycloneDX."""
        component: dict[str, Any] = {
            "type": "library", "bom-ref": self.purl, "name": self.name, "version": self.version, "purl": self.purl,
        }  # fmt: skip
        if self.expression:
            component["licenses"] = [{"expression": self.licences[0]}]
        elif self.licences:
            component["licenses"] = [{"license": {"name": name}} for name in self.licences]
        if self.hashes:
            # Of each file that may be installed, so they are no hashes of the component, which is one of them.
            component["properties"] = [{"name": "facefleet:lock:sha256", "value": value} for value in self.hashes]
        return component


def of_lock(text: str) -> Sequence[Part]:
    """What a lock pins."""
    return [
        _python_part(found[1], found[2], _installed(found[1], found[2]), tuple(_HASH.findall(found[3])))
        for found in _PIN.finditer(text)
    ]


def _installed(name: str, wanted: str) -> Message | None:
    """The metadata of a package, where this version of it is installed here."""
    try:
        found = metadata(name)
    except PackageNotFoundError:
        return None
    return found if found["Version"] == wanted else None  # type: ignore[return-value]


def of_image(engine: Engine, image: str) -> Sequence[Part]:
    """What is installed in an image."""
    told = json.loads(
        engine.run("run", "--rm", "--network", "none", "--no-healthcheck", "--ulimit", "nofile=4096:4096",
                   "--ulimit", "nproc=1024:1024", "--entrypoint", "/opt/facefleet/bin/python", image, "-c", _ASK)
    )  # fmt: skip
    python = [_python_part(one["Name"], one["Version"], _message(one)) for one in told["python"]]
    debian = [
        Part(name, release, f"pkg:deb/debian/{quote(name)}@{quote(release)}?arch={architecture}", tuple(licences))
        for name, release, architecture, licences in told["debian"]
    ]
    return [*python, *debian]


def _message(fields: Mapping[str, Any]) -> Message:
    message = Message()
    for name, value in fields.items():
        for each in value if isinstance(value, list) else [value]:
            if each:
                message[name] = " ".join(str(each).splitlines())
    return message


def _python_part(name: str, release: str, told: Message | None, hashes: tuple[str, ...] = ()) -> Part:
    normal = re.sub(r"[-_.]+", "-", name).lower()  # PEP 503
    purl = f"pkg:pypi/{normal}@{quote(release)}"
    licences, expression = _licences(told) if told else ((), False)
    return Part(normal, release, purl, licences, expression, hashes)


def _licences(told: Message) -> tuple[tuple[str, ...], bool]:
    """The SPDX expression (PEP 639), else the classifiers, else a short ``License`` field; whether it is the first."""
    if expression := told.get("License-Expression"):
        return (str(expression),), True
    classifiers = [
        str(each).split(" :: ")[-1] for each in told.get_all("Classifier") or [] if "License ::" in str(each)
    ]
    if named := tuple(each for each in classifiers if each != "OSI Approved"):
        return named, False
    field = str(told.get("License") or "").strip()
    return ((field,), False) if field and len(field) < 100 and "\n" not in field else ((), False)


def document(name: str, parts: Iterable[Part]) -> str:
    """The list as CycloneDX 1.6 JSON."""
    components = [part.document() for part in sorted(set(parts), key=lambda part: part.purl)]
    own = {"type": "application", "bom-ref": f"facefleet:{name}", "name": name, "version": version("facefleet")}
    body: dict[str, Any] = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json", "bomFormat": "CycloneDX", "specVersion": "1.6",
        "version": 1, "metadata": {"component": own}, "components": components,
    }  # fmt: skip
    body["serialNumber"] = f"urn:uuid:{uuid5(NAMESPACE_URL, json.dumps(body, sort_keys=True))}"
    return json.dumps(body, indent=1, ensure_ascii=False) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the lists; status 1 where an image cannot be asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--image", action="append", default=[], help="an image, instead of the locks")
    parser.add_argument("--output", type=Path, default=Path("out/sbom"), help="folder for NAME.cdx.json")
    chosen = parser.parse_args(arguments)
    try:
        lists = _of_images(chosen.image) if chosen.image else _of_locks()
    except ImageError as error:
        print(error, file=sys.stderr)
        return 1
    chosen.output.mkdir(parents=True, exist_ok=True)
    for name, parts in lists.items():
        file = chosen.output / f"{name}.cdx.json"
        file.write_text(document(name, parts))
        without = sum(not part.licences for part in parts)
        print(f"{file}: {len(parts)} packages, {without} of them without a licence in what was read")
    return 0


def _of_images(images: Iterable[str]) -> Mapping[str, Sequence[Part]]:
    engine = find_engine()
    return {re.sub(r"[^\w.-]+", "-", image): of_image(engine, image) for image in images}


def _of_locks() -> Mapping[str, Sequence[Part]]:
    return {lock: of_lock((ROOT / "requirements" / f"{lock}.txt").read_text()) for lock in LOCKS}


if __name__ == "__main__":
    sys.exit(main())

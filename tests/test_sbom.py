"""The lists of parts: complete, the same each time, and valid by the schema of CycloneDX."""

from __future__ import annotations

import json
import re
from email.message import Message
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from cyclonedx import schema
from tools.images import ROOT
from tools.sbom import LOCKS, Part, _licences, document, main, of_lock

_SCHEMAS = Path(schema.__file__).parent / "_res"


def valid(text: str) -> bool:
    """Whether it is CycloneDX 1.6, with the schemas of licences and signatures beside it."""
    parts = {name: json.loads((_SCHEMAS / f"{name}.SNAPSHOT.schema.json").read_text()) for name in ("spdx", "jsf-0.82")}
    base = "http://cyclonedx.org/schema"
    registry = jsonschema_rs.Registry([(f"{base}/{name}.SNAPSHOT.schema.json", part) for name, part in parts.items()])
    whole: dict[str, Any] = json.loads((_SCHEMAS / "bom-1.6.SNAPSHOT.schema.json").read_text())
    return jsonschema_rs.validator_for(whole, registry=registry).is_valid(json.loads(text))


@pytest.mark.parametrize("lock", LOCKS)
def test_the_list_of_a_lock_is_complete_and_valid(lock: str, tmp_path: Path) -> None:
    assert main(["--output", str(tmp_path)]) == 0
    text = (tmp_path / f"{lock}.cdx.json").read_text()
    assert valid(text)
    pinned = re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / "requirements" / f"{lock}.txt").read_text(), re.MULTILINE)
    listed = {(one["name"], one["version"]) for one in json.loads(text)["components"]}
    assert listed == set(pinned)
    assert all(one["properties"] for one in json.loads(text)["components"])


def test_the_same_parts_make_the_same_list_in_any_order() -> None:
    parts = [Part("b", "2", "pkg:pypi/b@2"), Part("a", "1", "pkg:pypi/a@1", ("MIT",), expression=True)]
    assert document("x", parts) == document("x", reversed(parts))
    assert document("x", parts) != document("x", parts[:1])


def test_a_list_with_a_wrong_part_is_not_valid() -> None:
    text = document("x", [Part("a", "1", "pkg:pypi/a@1", ("MIT",))])
    assert valid(text)
    assert not valid(text.replace('"library"', '"book"'))
    assert not valid(text.replace('"name": "MIT"', '"id": "No-Such-Licence"'))


def test_a_pin_keeps_its_hashes_whatever_its_marker() -> None:
    hashes = ["1" * 64, "2" * 64]
    files = " \\\n".join(f"    --hash=sha256:{one}" for one in hashes)
    text = f"no-such_Package==1.0+x ; python_version < '4' \\\n{files}\n"
    assert of_lock(text) == [Part("no-such-package", "1.0+x", "pkg:pypi/no-such-package@1.0%2Bx", hashes=tuple(hashes))]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ([("License-Expression", "MIT OR Apache-2.0"), ("License", "other")], (("MIT OR Apache-2.0",), True)),
        ([("Classifier", "License :: OSI Approved :: MIT License"), ("License", "x")], (("MIT License",), False)),
        ([("Classifier", "License :: OSI Approved"), ("License", "BSD")], (("BSD",), False)),
        ([("License", "a whole text\nof a licence")], ((), False)),
        ([], ((), False)),
    ],
)
def test_licences_are_read_from_the_best_field(
    fields: list[tuple[str, str]], expected: tuple[tuple[str, ...], bool]
) -> None:
    told = Message()
    for name, value in fields:
        told._headers.append((name, value))  # type: ignore[attr-defined]
    assert _licences(told) == expected

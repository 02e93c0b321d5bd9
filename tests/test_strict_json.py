"""JSON that two readers could take for different things is refused, with why."""

from __future__ import annotations

import json

import pytest

from facefleet.strict_json import JsonRefused, parse

REFUSED = {
    b'{"a": 1, "a": 2}': "'a' twice",
    b'{"a": 1, "\\u0061": 2}': "'a' twice",
    b'[{"b": {"a": 1, "a": 1}}]': "'a' twice",
    b"[NaN]": "NaN",
    b"[Infinity, 1]": "Infinity",
    b"-Infinity": "Infinity",
    b'{"\\ud800": 1}': "half of a character",
    b'"\xff"': "UTF-8",
    b"[" * 100_000: "nested",
    b"[1,]": "at character 3",
    b"": "at character 0",
    b"1" * 5_000: "is not JSON",
    b"\xef\xbb\xbf{}": "is not JSON",
}


@pytest.mark.parametrize("data", REFUSED, ids=lambda data: repr(data[:20]))
def test_what_is_no_strict_json_is_refused_with_why(data: bytes) -> None:
    with pytest.raises(JsonRefused, match=REFUSED[data]):
        parse(data)


def test_what_is_strict_json_is_read() -> None:
    value = {"a": [1, 2.5, None, True, "ü\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16")], "b": {}}
    assert parse(json.dumps(value).encode()) == value
    assert parse(bytearray(json.dumps(value, ensure_ascii=False).encode())) == value

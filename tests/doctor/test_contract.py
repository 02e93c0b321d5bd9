"""The contract's TOML form."""

from __future__ import annotations

from pathlib import Path

import pytest

from facefleet.doctor.contract import Contract, Demand, read_contract
from facefleet.errors.input import ConfigInvalid, FileUnreadable

SHIPPED = Path(__file__).parents[2] / "deploy" / "docker" / "contracts"


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "contract.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_contract_is_read_with_its_types(tmp_path: Path) -> None:
    contract = read_contract(written(tmp_path, '[memory]\nat_least = "1 GiB"\n[servers]\nbroker = "strict"\n'))
    assert contract.memory.at_least == 1 << 30
    assert contract.servers.broker is Demand.STRICT
    assert contract.servers.store is None


def test_an_empty_contract_asks_for_nothing(tmp_path: Path) -> None:
    assert read_contract(written(tmp_path, "")) == Contract()


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[memroy]\nat_least = 1\n", "memroy"),
        ("[memory]\nat_lest = 1\n", "memory.at_lest"),
        ('[memory]\nat_least = "much"\n', "memory.at_least"),
        ('[python]\nversion = "3.11"\n', "python.version: '3.11' is not a comparison"),
        ('[accelerator]\nprovider = "cuda"\n', "accelerator.provider"),
        ('[servers]\nbroker = "yes"\n', "servers.broker"),
        ("[user]\nuid = -1\n", "user.uid"),
        ('[paths]\nwritable = "/tmp"\n', "paths.writable"),
        ("[files]\ndescriptors = 0\n", "files.descriptors"),
        ("[python\n", "line 1"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(tmp_path: Path, text: str, place: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        read_contract(written(tmp_path, text))
    assert place in caught.value.message
    assert "contract.toml" in caught.value.message


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "contract.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigInvalid):
        read_contract(path)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileUnreadable, match="No such file"):
        read_contract(tmp_path / "contract.toml")


@pytest.mark.parametrize("name", ["gateway", "worker-cpu", "worker-gpu"])
def test_the_contracts_of_the_images_can_be_read(name: str) -> None:
    contract = read_contract(SHIPPED / f"{name}.toml")
    assert contract.user.uid == 10001
    assert contract.models.digests is (name != "gateway")
    assert (contract.accelerator.driver is not None) is (name == "worker-gpu")

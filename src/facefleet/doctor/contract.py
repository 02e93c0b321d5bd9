"""Defines the contract that a machine is held to, and reads it from its TOML file.

A line that is not there asks for nothing. ``docs/reference/contract.md`` is written from the descriptions below.
"""

from __future__ import annotations

import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ByteSize, Field, ValidationError

from facefleet import files
from facefleet.doctor.ranges import VersionRange
from facefleet.errors.input import ConfigInvalid, FileUnreadable
from facefleet.section import Count, Section, reason_of

Names = tuple[Annotated[str, Field(min_length=1)], ...]


class Demand(StrEnum):
    """What is asked of a server: may fail, must work, or must work without a warning."""

    OPTIONAL = "optional"
    REQUIRED = "required"
    STRICT = "strict"


class Python(Section):
    """The interpreter."""

    version: VersionRange | None = Field(None, description='range such as `">=3.11,<3.12"`')


class Cpu(Section):
    """The processor."""

    at_least: Annotated[float, Field(gt=0)] | None = Field(
        None, description="cores this process may use, a quota of its control group counted"
    )
    features: Names = Field((), description='instruction sets by the kernel\'s names, such as `["avx2"]`')


class Memory(Section):
    """The memory."""

    at_least: ByteSize | None = Field(
        None, description='bytes, or `"1 GiB"`: of the machine, or the limit of the control group where that is less'
    )


class Files(Section):
    """Open files."""

    descriptors: Count | None = Field(None, description="files and sockets that one process may have open")


class Paths(Section):
    """Files and folders."""

    writable: tuple[Path, ...] = Field((), description="folders in which a file can be made")
    read_only: tuple[Path, ...] = Field((), description="folders in which none can be made")
    free: ByteSize | None = Field(None, description='bytes, or `"1 GiB"`, free in each of the writable folders')


class User(Section):
    """The account of the process."""

    uid: int | None = Field(None, ge=0, description="number of the user")
    no_new_privileges: bool = Field(False, description="true: it can gain no privileges (`no_new_privs`)")
    capabilities: Literal["none"] | None = Field(None, description='`"none"`: the process has no capability')


class Absent(Section):
    """What must not be there."""

    programs: Names = Field((), description='programs not found on the path, such as `["gcc", "pip"]`')


class Accelerator(Section):
    """The GPU, and what models run on."""

    provider: Literal["CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"] | None = Field(
        None, description="execution provider of ONNX Runtime that a small model really ran on"
    )
    driver: VersionRange | None = Field(None, description='version of the NVIDIA driver, such as `">=580"`')


class Models(Section):
    """The weights."""

    digests: bool = Field(False, description="true: every required model is there with the sha256 of the manifest")


class Confinement(Section):
    """What the kernel offers to confine a decoder; a line that is not kept is a warning, never more."""

    landlock_abi: VersionRange | None = Field(None, description='Landlock ABI, such as `">=1"`')
    seccomp: bool = Field(False, description="true: filters of system calls")
    user_namespaces: bool = Field(False, description="true: user namespaces without a privilege")


class Servers(Section):
    """The servers of the settings."""

    broker: Demand | None = Field(None, description="the queue answers; `strict`: and keeps what it was given")
    records: Demand | None = Field(
        None, description="the database answers, with this release's schema or a newer one; `strict`: and the same time"
    )
    store: Demand | None = Field(
        None, description="the object store writes, reads and deletes; `strict`: and keeps nothing that was deleted"
    )


class Contract(Section):
    """What a machine is held to."""

    python: Python = Python()
    cpu: Cpu = Cpu()
    memory: Memory = Memory()
    files: Files = Files()
    paths: Paths = Paths()
    user: User = User()
    absent: Absent = Absent()
    accelerator: Accelerator = Accelerator()
    models: Models = Models()
    confinement: Confinement = Confinement()
    servers: Servers = Servers()


def read_contract(path: Path) -> Contract:
    """The contract in a file.

    Raises:
        FileUnreadable: The file is missing or cannot be read.
        ConfigInvalid: It is no TOML, or has a line that does not exist or cannot be used; the message says where.
    """
    try:
        return Contract.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise FileUnreadable(f"The contract {path} cannot be read: {files.reason(error)}.", path=str(path)) from None
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, e['loc']))}: {reason_of(dict(e))}" for e in error.errors(include_input=False)]
        raise ConfigInvalid(f"The contract {path} cannot be used: {'; '.join(wrong)}.", path=str(path)) from None
    except ValueError as error:  # no TOML, or no UTF-8
        raise ConfigInvalid(f"The contract {path} cannot be read: {error}.", path=str(path)) from None

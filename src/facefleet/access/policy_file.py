"""Reads the file of policies that operators keep beside the settings (TOML)."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import ValidationError

from facefleet.access.policy import Policies
from facefleet.errors.input import ConfigInvalid


def read_policies(path: Path) -> Policies:
    """The policies of a file: tables ``[default]``, ``[plans.NAME]``, ``[tenants.NAME]`` and ``[webhook_secrets]``.

    Raises:
        ConfigInvalid: It cannot be read, or one of its values cannot be used; the message says which.
    """
    try:
        policies = Policies.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False)]
        raise ConfigInvalid(f"{path} cannot be used: {'; '.join(wrong)}.", setting="policies.file") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigInvalid(f"{path} cannot be read: {error}.", setting="policies.file") from None
    for name, tenant in policies.tenants.items():
        if tenant.plan is not None and tenant.plan not in policies.plans:
            raise ConfigInvalid(
                f"{path} cannot be used: tenants.{name}.plan is {tenant.plan}, and there is no [plans.{tenant.plan}].",
                setting="policies.file",
            )
    return policies

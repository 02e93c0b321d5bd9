"""Defines the settings of who may ask: API keys, tokens and the claims in them; ``config.py`` loads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, FilePath, SecretStr, model_validator

from facefleet.section import Section

_JWKS_URL = r"^(https://[^\s@]+|http://(127\.0\.0\.1|\[::1\]|localhost)(:\d+)?/[^\s@]*)?$"
_SHORTEST_TOKEN_SECRET = 32  # bytes: as long as the digest (RFC 7518, section 3.2)


class Auth(Section):
    """Who may ask. Without API keys and tokens: whoever is on this machine, and nobody else."""

    keys: bool = Field(False, description="take API keys, made by `facefleet keys create` and `/v1/keys`")
    key_secrets: SecretStr = Field(
        SecretStr(""),
        description="what keys are hashed with before they are stored: 32 characters or more; of several, separated by "
        "blanks, the first hashes and all are tried; empty: one made beside an SQLite file of records",
    )
    key_secrets_file: FilePath | None = Field(None, description="a file that holds `key_secrets`")
    first_key_file: Path | None = Field(
        None,
        description="file for the API key of an administrator that the first start with `keys` makes where the records "
        "have none; a key that is in it already is taken; not set: `admin.key` in the data folder",
    )
    token_issuer: str = Field("", description="`iss` of the tokens (JWT) that are taken")
    token_audience: str = Field("", description="`aud` of them, or one of it: the name of this service")
    token_secret: SecretStr = Field(
        SecretStr(""), description="takes tokens signed by HS256 with this secret of 32 bytes or more"
    )
    token_secret_file: FilePath | None = Field(None, description="a file that holds `token_secret`")
    jwks_url: str = Field(
        "",
        description="takes tokens signed by RS256, ES256 or EdDSA (Ed25519) with a key of the set at this address; "
        "`http://` on loopback only",
        pattern=_JWKS_URL,
    )
    jwks_ca_file: FilePath | None = Field(
        None, description="PEM file of a private certificate authority, besides the public ones"
    )
    leeway: int = Field(30, ge=0, le=300, description="s that the clocks of the issuer and of this machine may differ")
    tenant_claim: str = Field(
        "tenant", min_length=1, description="claim with the tenant; dots lead into objects, unless it has a slash"
    )
    subject_claim: str = Field("sub", min_length=1, description="claim with who asks")
    roles_claim: str = Field(
        "roles", min_length=1, description="claim with the roles: a list, or names separated by blanks"
    )
    plan_claim: str = Field("plan", min_length=1, description="claim with the plan; tokens need not have it")

    @model_validator(mode="before")
    @classmethod
    def _read_files(cls, values: Any) -> Any:
        for name in ("key_secrets", "token_secret"):
            if isinstance(values, dict) and (path := values.get(f"{name}_file")):
                if values.get(name):
                    raise ValueError(f"{name} and {name}_file are not set together")
                values = values | {name: _secret_in(Path(path), name)}
        return values

    @model_validator(mode="after")
    def _tokens_are_checked_whole(self) -> Auth:
        secret = self.token_secret.get_secret_value()
        if secret and len(secret.encode()) < _SHORTEST_TOKEN_SECRET:
            raise ValueError(
                f"token_secret needs {_SHORTEST_TOKEN_SECRET} bytes or more; `openssl rand -base64 32` makes it"
            )
        if self.tokens and not (self.token_issuer and self.token_audience):
            raise ValueError("tokens need token_issuer and token_audience, or any token of the issuer would do")
        return self

    @property
    def tokens(self) -> bool:
        """Whether tokens are taken."""
        return bool(self.token_secret.get_secret_value() or self.jwks_url)

    @property
    def required(self) -> bool:
        """Whether whoever asks needs a credential."""
        return self.keys or self.tokens


def _secret_in(path: Path, name: str) -> str:
    """The secret that a file holds.

    Raises:
        ValueError: It cannot be read, or is empty; the message has nothing of it.
    """
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{name}_file cannot be read: {type(error).__name__}") from None
    if not secret:
        raise ValueError(f"{name}_file is empty")
    return secret

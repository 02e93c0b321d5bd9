"""Defines the settings of the gateway: where it listens, whom it believes, what it holds; ``config.py`` loads them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, FilePath, IPvAnyNetwork, model_validator

from facefleet.section import Count, Seconds, Section, WebOrigin


class Gateway(Section):
    """The gateway, which is the HTTP program."""

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8080, ge=0, le=65535, description="0: any free port")
    tls_cert_file: FilePath | None = Field(
        None,
        description="PEM file of the gateway's certificate and of the authorities between it and the root, for TLS; "
        "set together with the key; both are read anew when they change",
    )
    tls_key_file: FilePath | None = Field(None, description="PEM file of its private key, without a passphrase")
    metrics_host: str = Field("127.0.0.1", description="address of a /metrics that asks for no credentials")
    metrics_port: int = Field(0, ge=0, le=65535, description="0: only the one among the other endpoints, for operators")
    trusted_proxies: tuple[IPvAnyNetwork, ...] = Field(
        (),
        description='networks whose word about a client (address, TLS) is taken, a JSON list such as `["10.0.0.0/8"]`',
    )
    forwarded_header: Literal["x-forwarded-for", "forwarded"] = Field(
        "x-forwarded-for",
        description="each of those proxies adds its client to it; beside the first, X-Forwarded-Proto is read",
    )
    cors_origins: tuple[WebOrigin, ...] = Field(
        (), description='origins whose pages may call from a browser, a JSON list such as `["https://app.example"]`'
    )
    hsts_seconds: int = Field(
        31_536_000, ge=0,
        description="s that browsers which came by TLS keep to it for this name (HSTS); 0: not said",
    )  # fmt: skip
    processes: int = Field(
        1, ge=0, description="processes that share the address; limits here are of each; 0: one per core"
    )
    threads: Count = Field(16, description="threads for records, store and queue calls")
    watchers: Count = Field(
        5_000, description="clients that follow a task or wait for it, at once; beyond it the answer is `overloaded`"
    )
    head_timeout: Seconds = Field(
        20.0, description="s that the first line and the headers of a request may take to arrive"
    )
    keep_alive: Seconds = Field(
        75.0, description="s that a connection without a request stays open; longer than a proxy in front keeps it"
    )
    upload_timeout: Seconds = Field(120.0, description="s that the body of one request may take to arrive")
    upload_bytes: Count = Field(
        1 << 30, description="bytes of all request bodies held at once; beyond it the answer is `overloaded`"
    )
    json_bytes: Count = Field(
        64_000_000, description="bytes of a JSON body; base64 makes photos a third larger, and parsing it takes memory"
    )
    batch_bytes: Count = Field(2 << 30, description="bytes of the body of one batch, which is not held")
    batch_timeout: Seconds = Field(
        1800.0, description="s that the body of one batch may take to arrive; less than `retention.orphans`"
    )

    @model_validator(mode="after")
    def _certificate_and_key_come_in_pairs(self) -> Gateway:
        if (self.tls_cert_file is None) != (self.tls_key_file is None):
            raise ValueError("tls_cert_file and tls_key_file are set together or not at all")
        return self

# Derived from aio/keys.py by tools/derive_client.py: change it there.
"""Makes, lists, rotates and revokes the API keys of the caller's tenant."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from datetime import datetime

from facefleet.client import keys, requests
from facefleet.client.blocking.transport import Transport
from facefleet.client.keys import KeyView, NewKey, key_view, new_key
from facefleet.client.requests import ApiRequest
from facefleet.client.responses import Document, document


class Keys:
    """The API keys of your tenant, for tenant-admins.

    Every method raises ``ServerUnreachable`` when the server does not answer, and its own error when it refuses:
    ``NotPermitted`` where you may not, ``KeyNotFound``, ``RouteNotFound`` where the server takes no keys.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
        self, name: str, roles: Sequence[str], *, permissions: Sequence[str] | None = None,
        expires_at: datetime | None = None, test: bool = False,
    ) -> NewKey:  # fmt: skip
        """Make a key that may do as much as you, or less. It is tried once, since a second attempt would make two.

        Args:
            name: In your own words; not unique.
            roles: Such as ``member``.
            permissions: The only ones of these roles that it is to have; all where not given.
            expires_at: With its time zone; never where not given.
            test: Whether it is for trying out the service.
        """
        return new_key(self._once(keys.creation(name, roles, permissions, expires_at, test=test)))

    def all(self) -> Generator[KeyView, None, None]:
        """The keys, the newest first, page by page as they are asked for."""
        with closing(self._transport.pages(requests.first_page("keys"), "keys")) as documents:
            for one in documents:
                yield key_view(one)

    def get(self, key_id: str) -> KeyView:
        """A key by its id."""
        return key_view(self._transport.document(keys.of_key(key_id)))

    def rotate(self, key_id: str, *, overlap: float | None = None) -> NewKey:
        """Make a key in the place of another; tried once, as ``create``.

        Args:
            key_id: Of the other.
            overlap: s that both work; as long as the server says where not given.

        Raises:
            KeyEnded: It does not work any more, or was rotated before.
        """
        return new_key(self._once(keys.rotation(key_id, overlap)))

    def revoke(self, key_id: str) -> KeyView:
        """End a key; to revoke it again is no error."""
        return key_view(self._transport.document(keys.of_key(key_id, method="DELETE")))

    def _once(self, request: ApiRequest) -> Document:
        with self._transport.opened(request) as response:
            response.read()
            return document(response)

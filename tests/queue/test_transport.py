"""One client a channel, for as long as its pool of connections is in use."""

from __future__ import annotations

from typing import Any

from tests.queue.conftest import Rig

from facefleet.queue.transport import Channel


def test_commands_of_a_channel_share_one_client(rig: Rig) -> None:
    with rig.app.connection_for_write() as connection, connection.channel() as channel:
        assert isinstance(channel, Channel)
        assert client_of(channel) is client_of(channel)


def test_a_channel_whose_connections_were_given_up_takes_a_new_client(rig: Rig) -> None:
    with rig.app.connection_for_write() as connection, connection.channel() as channel:
        before = client_of(channel)
        channel._disconnect_pools()  # what an outage makes of them
        assert client_of(channel) is not before
        assert client_of(channel).ping()


def client_of(channel: Channel) -> Any:
    with channel.conn_or_acquire() as client:
        return client

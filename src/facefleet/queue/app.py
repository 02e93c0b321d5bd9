"""Builds the Celery application that sends and receives messages. A message only names a task; the record decides."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial

from celery import Celery
from kombu import Exchange, Queue

from facefleet.queue.cycle import LaneCycle, always, nothing
from facefleet.tasks.routes import STABLE, list_name, routes

HANDLE = "facefleet.handle"  # the one Celery task: its argument is the id of a record
TRANSPORT = "facefleet.queue.transport:Transport"
_ANONYMOUS = Exchange("", type="direct")  # routes by list name alone, so an emptied broker loses no binding


def build_app(
    url: str,
    *,
    prefix: str,
    lower_lane_every: int,
    visibility_timeout: float,
    track: str = STABLE,
    watch: Callable[[], bool] = always,
    paused: Callable[[], Collection[str]] = nothing,
) -> Celery:
    """An application that is not connected yet.

    Args:
        url: Of the broker.
        prefix: First part of every key in the broker.
        lower_lane_every: See ``LaneCycle``.
        visibility_timeout: s until the broker gives an unacknowledged message to another worker.
        track: The release track whose lists a worker of this application consumes.
        watch: See ``LaneCycle``.
        paused: See ``LaneCycle``.
    """
    app = Celery("facefleet", broker=url, set_as_current=False)
    app.conf.update(
        broker_transport=TRANSPORT,
        task_queues=[Queue(list_name(r), exchange=_ANONYMOUS, routing_key=list_name(r)) for r in routes(track)],
        task_default_queue=list_name(routes(track)[0]),
        task_create_missing_queues=True,
        task_ignore_result=True,
        result_backend_thread_safe=True,  # there is none; but each thread that sends would look for one by itself
        task_acks_late=True,
        task_publish_retry=False,  # the sweeper sends again; a request must not wait for the broker
        task_serializer="json",
        accept_content=["json"],
        worker_disable_prefetch=True,
        worker_prefetch_multiplier=0,  # no window: acknowledgements that a dying broker missed would fill it for ever
        worker_send_task_events=False,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,  # the lease, not the connection, holds a task
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_connection_timeout=2.0,
        broker_transport_options={
            "global_keyprefix": f"{prefix}:",
            "queue_order_strategy": partial(LaneCycle, every=lower_lane_every, watch=watch, paused=paused),
            "priority_steps": [0],  # lanes are lists of their own
            "visibility_timeout": visibility_timeout,
            "socket_timeout": 5.0,
            "socket_connect_timeout": 2.0,
            "socket_keepalive": True,
        },
    )
    return app

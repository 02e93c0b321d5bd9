"""Implements ``facefleet cancel`` and ``facefleet erase``, which end tasks at a server and delete their photos."""

from __future__ import annotations

from facefleet.cli.options import JsonOption
from facefleet.cli.remote import server
from facefleet.cli.remote.several import change_each


def cancel(task_ids: server.IdsArgument, url: server.UrlOption = None, as_json: JsonOption = False) -> None:
    """End tasks that have not ended; a run under way stops after its present step."""
    with server.open_client(url) as client:
        change_each(
            task_ids, lambda task_id: client.task(task_id).cancel(),
            row=lambda task: task.view.raw, words=lambda task: f"{task.id} is {task.status}", as_json=as_json,
        )  # fmt: skip


def erase(task_ids: server.IdsArgument, url: server.UrlOption = None, as_json: JsonOption = False) -> None:
    """Have a server delete the photos and results of tasks now, whether they have ended or not."""
    with server.open_client(url) as client:
        change_each(
            task_ids, lambda task_id: client.task(task_id).erase(),
            row=lambda receipt: receipt.raw, words=lambda receipt: f"{receipt.task_id} is {receipt.status}",
            as_json=as_json,
        )  # fmt: skip

"""Turns a row of the records into a ``Task`` and back; the consent of a template stands in the same columns."""

from __future__ import annotations

from typing import Any

from sqlalchemy import RowMapping

from facefleet.tasks.kinds import Kind
from facefleet.tasks.routes import Route
from facefleet.tasks.task import Consent, Failure, Task, Webhook
from facefleet.tasks.transitions import State


def consent_columns(consent: Consent) -> dict[str, Any]:
    """The columns of an attested consent."""
    return {
        "consent_subject": consent.subject, "consent_at": consent.at, "consent_reference": consent.reference,
        "consent_own_photo": consent.own_photo, "consent_guardian": consent.guardian,
    }  # fmt: skip


def consent_of(row: RowMapping) -> Consent:
    """The attested consent of a row."""
    return Consent(
        row["consent_subject"], row["consent_at"], row["consent_reference"], row["consent_own_photo"],
        row["consent_guardian"],
    )  # fmt: skip


def row_of(task: Task) -> dict[str, Any]:
    """The columns of a record."""
    failure, webhook = task.failure, task.webhook
    return {
        "id": task.id, "tenant": task.tenant, "subject": task.subject, "kind": task.kind.value,
        "track": task.route.track, "lane": task.route.lane, "shard": task.route.shard, "state": task.state.value,
        "options": dict(task.options), "inputs": dict(task.inputs),
        "fence": task.fence, "failures": task.failures, "lost": task.lost, "version": task.version,
        "lease_until": task.lease_until, "run_at": task.run_at,
        "sent_at": task.sent_at, "sent_epoch": task.sent_epoch, "deadline_at": task.deadline_at,
        "progress": task.progress, "step": task.step, "result": task.result, "result_type": task.result_type,
        "error_code": failure.code if failure else None,
        "error_message": failure.message if failure else None,
        "error_detail": dict(failure.detail) if failure else None,
        "models": dict(task.models), "timings_ms": dict(task.timings_ms),
        **consent_columns(task.consent),
        "webhook_url": webhook.url if webhook else None,
        "webhook_events": list(webhook.events) if webhook else None,
        "idempotency_key": task.idempotency_key, "request_digest": task.request_digest,
        "traceparent": task.traceparent,
        "created_at": task.created_at, "started_at": task.started_at, "finished_at": task.finished_at,
        "inputs_kept": task.inputs_kept, "result_kept": task.result_kept, "hold": task.hold,
        "erased_at": task.erased_at, "batch": task.batch, "item": task.item, "template": task.template,
        "output": dict(task.output) if task.output is not None else None,
        "inspections": list(task.inspections) if task.inspections is not None else None,
        "bytes_in": task.bytes_in, "bytes_out": task.bytes_out, "seconds": task.seconds,
        "credential": task.credential, "digests": dict(task.digests) or None, "plan": task.plan,
    }  # fmt: skip


def task_of(row: RowMapping) -> Task:
    """The record of a row."""
    return Task(
        id=row["id"], tenant=row["tenant"], subject=row["subject"], kind=Kind(row["kind"]),
        route=Route(row["track"], row["lane"], row["shard"]), state=State(row["state"]),
        options=row["options"], inputs=row["inputs"],
        fence=row["fence"], failures=row["failures"], lost=row["lost"], version=row["version"],
        lease_until=row["lease_until"], run_at=row["run_at"],
        sent_at=row["sent_at"], sent_epoch=row["sent_epoch"], deadline_at=row["deadline_at"],
        progress=row["progress"], step=row["step"], result=row["result"], result_type=row["result_type"],
        failure=_failure_of(row), models=row["models"], timings_ms=row["timings_ms"],
        consent=consent_of(row), webhook=_webhook_of(row),
        idempotency_key=row["idempotency_key"], request_digest=row["request_digest"],
        traceparent=row["traceparent"],
        created_at=row["created_at"], started_at=row["started_at"], finished_at=row["finished_at"],
        inputs_kept=row["inputs_kept"], result_kept=row["result_kept"], hold=row["hold"], erased_at=row["erased_at"],
        batch=row["batch"], item=row["item"], template=row["template"], output=row["output"],
        inspections=row["inspections"],
        bytes_in=row["bytes_in"], bytes_out=row["bytes_out"], seconds=row["seconds"],
        credential=row["credential"], digests=row["digests"] or {}, plan=row["plan"],
    )  # fmt: skip


def _failure_of(row: RowMapping) -> Failure | None:
    if row["error_code"] is None:
        return None
    return Failure(row["error_code"], row["error_message"] or "", row["error_detail"] or {})


def _webhook_of(row: RowMapping) -> Webhook | None:
    if row["webhook_url"] is None:
        return None
    return Webhook(row["webhook_url"], tuple(row["webhook_events"] or ()))

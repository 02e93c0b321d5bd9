"""Photos that must not be used: what becomes of the task, its record and its uploads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import structlog
from sqlalchemy import select
from tests.tasks.fakes import ORIGIN
from tests.worker.conftest import Bench, Build

from facefleet import config
from facefleet.access.policy import Policies, Policy
from facefleet.engine.build import build_engine
from facefleet.engine.fusion import Engine
from facefleet.engine.inspector import Shown
from facefleet.engine.models.onnx import OnnxSession
from facefleet.engine.types import ModelFiles
from facefleet.errors.outage import InspectionUnavailable
from facefleet.safety.nsfw import OPEN_NSFW, NsfwInspector, NsfwPolicy
from facefleet.safety.open_nsfw import OpenNsfw
from facefleet.storage.keys import batch_key, template_key
from facefleet.tasks.audit import SERVICE
from facefleet.tasks.batches import Batch, Batches
from facefleet.tasks.ids import new_id
from facefleet.tasks.kinds import Kind
from facefleet.tasks.records.operator_records import OperatorRecords
from facefleet.tasks.routes import choose_route
from facefleet.tasks.tables.table import audit
from facefleet.tasks.task import Consent, Task
from facefleet.tasks.templates import Template, Templates, TemplateState, registered
from facefleet.tasks.transitions import State
from facefleet.worker.runtime import build_engine as engine_of_settings


class Scripted:
    """A classifier that gives the scores of a list, the last one for ever."""

    model = ModelFiles("scripted", "9", {})

    def __init__(self, *scores: float | Exception) -> None:
        self.scores = list(scores)

    def score(self, shown: Shown) -> float:
        score = self.scores.pop(0) if len(self.scores) > 1 else self.scores[0]
        if isinstance(score, Exception):
            raise score
        return score

    def warm(self) -> None:
        """Nothing to do."""


def scripted(models: Mapping[str, ModelFiles], *scores: float | Exception) -> Engine:
    return build_engine(models, inspector=NsfwInspector(Scripted(*scores), NsfwPolicy(0.5, 0.8)))


@pytest.fixture(scope="module")
def classifier(models: Mapping[str, ModelFiles]) -> OpenNsfw:
    return OpenNsfw(OnnxSession(models[OPEN_NSFW]))


def gated(models: Mapping[str, ModelFiles], classifier: OpenNsfw, threshold: float) -> Engine:
    return build_engine(models, inspector=NsfwInspector(classifier, NsfwPolicy(threshold, threshold)))


def code_of(task: Task) -> str | None:
    return task.failure.code if task.failure else None


def hold(bench: Bench, task: Task, *, on: bool) -> None:
    OperatorRecords(bench.database, bench.clock).hold(task.id, ORIGIN, on=on)


def actions(bench: Bench) -> list[tuple[str, str | None]]:
    """What the service itself did, by the audit log."""
    with bench.database.read() as connection:
        rows = connection.execute(select(audit.c.action, audit.c.object).where(audit.c.actor == SERVICE.actor))
        return [(row.action, row.object) for row in rows]


def uploads(bench: Bench) -> list[str]:
    return [key for key in bench.store.list("tenants/") if "/results/" not in key]


def test_photos_that_pass_are_fused_and_their_scores_are_in_the_record(
    build: Build, models: Mapping[str, ModelFiles], classifier: OpenNsfw, photos: tuple[bytes, bytes]
) -> None:
    bench = build(engine=gated(models, classifier, 0.5))
    task = bench.queue(*photos)
    bench.runner(task.id)
    done = bench.read(task)
    assert done.state is State.SUCCEEDED
    assert done.models["open_nsfw"] == "0.1.0"
    assert done.inspections is not None
    found = [dict(one) for one in done.inspections]
    assert [one.pop("role") for one in found] == ["source", "target"]
    assert all(0 < float(str(one.pop("score"))) < 0.5 for one in found)
    same = {"check": "nsfw", "model": "open_nsfw", "version": "0.1.0", "verdict": "allowed"}
    assert found == [same, same]
    assert bench.count("facefusion_inspections_total", check="nsfw", role="source", verdict="allowed") == 1
    assert len(uploads(bench)) == 2


def test_a_threshold_of_0_blocks_everything_and_the_uploads_are_deleted_at_once(
    build: Build, models: Mapping[str, ModelFiles], classifier: OpenNsfw, photos: tuple[bytes, bytes]
) -> None:
    bench = build(engine=gated(models, classifier, 0.0))
    task = bench.queue(*photos)
    with structlog.testing.capture_logs() as lines:
        bench.runner(task.id)
    failed = bench.read(task)
    assert (failed.state, code_of(failed), failed.fence, failed.failures) == (State.FAILED, "content_rejected", 1, 0)
    assert failed.failure is not None
    assert failed.failure.detail == {"check": "nsfw", "field": "source"}
    assert failed.inspections is not None
    (found,) = failed.inspections
    assert (found["role"], found["verdict"]) == ("source", "blocked")
    assert str(found["score"]) not in f"{failed.failure.message}{lines}"
    assert uploads(bench) == []
    assert not failed.inputs_kept
    assert actions(bench) == [("inputs.reject", task.id)]
    assert bench.count("facefusion_inspections_total", check="nsfw", role="source", verdict="blocked") == 1
    (told,) = (line for line in lines if line["event"] == "photo.rejected")
    assert (told["check"], told["role"], told["verdict"]) == ("nsfw", "source", "blocked")


def test_a_tenant_may_be_stricter_than_the_service_and_nobody_elses_photos_suffer(
    build: Build, models: Mapping[str, ModelFiles], classifier: OpenNsfw, photos: tuple[bytes, bytes]
) -> None:
    bench = build(engine=gated(models, classifier, 0.5))
    strict, other = bench.queue(*photos, plan="strict"), bench.queue(*photos)
    replace(bench.runner, policies=lambda: Policies(plans={"strict": Policy(nsfw_allow=0.0)}))(strict.id)
    failed = bench.read(strict)
    assert failed.failure is not None
    assert (failed.failure.code, failed.failure.detail) == ("content_rejected", {"check": "nsfw", "field": "source"})
    assert [(one["role"], one["verdict"]) for one in failed.inspections or ()] == [("source", "review")]
    assert not failed.inputs_kept
    replace(bench.runner, policies=lambda: Policies(default=Policy(nsfw_allow=0.9)))(other.id)
    assert bench.read(other).state is State.SUCCEEDED, "laxer than the service changes nothing"


@pytest.mark.parametrize(("score", "verdict"), [(0.6, "review"), (0.95, "blocked")])
def test_a_target_is_refused_by_its_score_and_both_scores_are_kept(
    build: Build, models: Mapping[str, ModelFiles], photos: tuple[bytes, bytes], score: float, verdict: str
) -> None:
    bench = build(engine=scripted(models, 0.1, score))
    task = bench.queue(*photos)
    bench.runner(task.id)
    failed = bench.read(task)
    assert failed.failure is not None
    assert (failed.failure.code, failed.failure.detail["field"]) == ("content_rejected", "target")
    assert [(one["role"], one["score"], one["verdict"]) for one in failed.inspections or ()] == [
        ("source", 0.1, "allowed"), ("target", score, verdict),
    ]  # fmt: skip
    assert bench.results() == []


def test_of_several_sources_the_failure_says_which(
    build: Build, models: Mapping[str, ModelFiles], samples: Mapping[str, Path]
) -> None:
    bench = build(engine=scripted(models, 0.1, 0.9))
    sources = [samples[name].read_bytes() for name in ("astronaut", "smiling_woman")]
    faces = [{"source": number, "source_face": None, "target_face": number} for number in range(2)]
    task = bench.queue(sources[0], samples["group"].read_bytes(), sources[1], faces=faces)
    bench.runner(task.id)
    failure = bench.read(task).failure
    assert failure is not None
    assert failure.detail == {"check": "nsfw", "field": "source", "number": 1}


def test_a_classifier_that_fails_is_retried_as_an_outage_and_nothing_is_delivered(
    build: Build, models: Mapping[str, ModelFiles], photos: tuple[bytes, bytes]
) -> None:
    away = InspectionUnavailable("The photo could not be inspected.", cause="Fail")
    bench = build(engine=scripted(models, away, away, away, away, 0.1))
    task = bench.queue(*photos)
    for _ in range(4):  # more often than the budget of retries
        bench.runner(task.id)
        waiting = bench.read(task)
        assert (waiting.state, code_of(waiting), waiting.failures) == (State.QUEUED, "inspection_unavailable", 0)
        assert bench.results() == []
        assert len(uploads(bench)) == 2
        bench.clock.advance(301)
    bench.runner(task.id)
    assert bench.read(task).state is State.SUCCEEDED
    assert bench.count("facefusion_retries_total", kind="fuse", code="inspection_unavailable") == 4


def test_photos_under_legal_hold_stay(
    build: Build, models: Mapping[str, ModelFiles], photos: tuple[bytes, bytes]
) -> None:
    bench = build(engine=scripted(models, 0.9))
    task = bench.queue(*photos)
    hold(bench, task, on=True)
    bench.runner(task.id)
    assert code_of(bench.read(task)) == "content_rejected"
    assert len(uploads(bench)) == 2


def test_what_a_dying_worker_leaves_of_a_rejected_task_goes_in_the_next_round_of_retention(
    build: Build, models: Mapping[str, ModelFiles], photos: tuple[bytes, bytes]
) -> None:
    bench = build(engine=scripted(models, 0.9))
    task = bench.queue(*photos)
    held = bench.queue(*photos)
    hold(bench, held, on=True)  # by it the worker leaves the uploads
    bench.runner(held.id)
    hold(bench, held, on=False)
    assert {key.split("/")[3] for key in uploads(bench)} == {task.id, held.id}
    bench.runner.retention.round()
    assert {key.split("/")[3] for key in uploads(bench)} == {task.id}
    assert not bench.read(held).inputs_kept


def batch_of_two(bench: Bench, source: bytes, targets: tuple[bytes, bytes]) -> list[Task]:
    """Two items that share their source."""
    batch_id, now = new_id(), bench.clock()
    shared = batch_key("acme", batch_id, "source", 0)
    bench.store.put(shared, source)
    items = []
    for number, target in enumerate(targets):
        own = batch_key("acme", batch_id, "target", number)
        bench.store.put(own, target)
        items.append(Task.new(
            id=new_id(), tenant="acme", subject="tester", kind=Kind.FUSE, route=choose_route(Kind.FUSE, "acme"),
            options={}, inputs={"source": shared, "target": own}, consent=Consent("tester", now), now=now,
            deadline=timedelta(hours=1), batch=batch_id, item=number,
        ))  # fmt: skip
    batch = Batch(
        id=batch_id, tenant="acme", subject="tester", total=2, options={}, inputs={"source": shared}, created_at=now
    )
    batches = bench.runner.retention.batches
    assert isinstance(batches, Batches)
    batches.add(batch, items, ORIGIN)
    return items


def test_what_items_of_a_batch_share_goes_when_all_of_them_are_rejected(
    build: Build, models: Mapping[str, ModelFiles], photos: tuple[bytes, bytes]
) -> None:
    bench = build(engine=scripted(models, 0.9))
    first, second = batch_of_two(bench, photos[0], (photos[1], photos[1]))
    bench.runner(first.id)
    assert len(uploads(bench)) == 2, "the other item still needs the source"
    bench.runner.retention.round()
    bench.runner(second.id)
    assert [code_of(bench.read(item)) for item in (first, second)] == ["content_rejected"] * 2
    bench.runner.retention.round()
    assert uploads(bench) == []


def test_a_shared_photo_stays_for_the_items_that_were_not_rejected(
    build: Build, models: Mapping[str, ModelFiles], photos: tuple[bytes, bytes], samples: Mapping[str, Path]
) -> None:
    bench = build(engine=scripted(models, 0.1, 0.9, 0.1))
    first, second = batch_of_two(bench, photos[0], (photos[1], samples["smiling_man"].read_bytes()))
    bench.runner(first.id)
    bench.runner(second.id)
    bench.runner.retention.round()
    assert [bench.read(item).state for item in (first, second)] == [State.FAILED, State.SUCCEEDED]
    assert len(uploads(bench)) == 2, "the source, and the target of the other item, for the term of inputs"


def test_a_rejected_template_fails_and_its_photo_goes_at_once(
    build: Build, models: Mapping[str, ModelFiles], photos: tuple[bytes, bytes]
) -> None:
    bench = build(engine=scripted(models, 0.9))
    template_id, now = new_id(), bench.clock()
    key = template_key("acme", template_id)
    bench.store.put(key, photos[0])
    task = Task.new(
        id=new_id(), tenant="acme", subject="tester", kind=Kind.TEMPLATE, route=choose_route(Kind.TEMPLATE, "acme"),
        options={}, inputs={"image": key}, consent=Consent("tester", now), now=now, deadline=timedelta(hours=1),
        template=template_id,
    )  # fmt: skip
    template = Template(
        id=template_id, tenant="acme", subject="tester", name="poster", task=task.id, object=key,
        media_type="image/png", width=512, height=512, bytes=len(photos[0]), digest="d", consent=task.consent,
        created_at=now,
    )  # fmt: skip
    bench.records.add(task, registered(template))
    bench.runner(task.id)
    templates = bench.runner.retention.templates
    assert isinstance(templates, Templates)
    failed = templates.get("acme", template_id)
    assert (failed.state, failed.object) == (TemplateState.FAILED, "")
    assert failed.failure is not None
    assert (failed.failure.code, failed.failure.detail["field"]) == ("content_rejected", "image")
    assert uploads(bench) == []


def test_the_settings_turn_the_gate_off_and_on(models: Mapping[str, ModelFiles], photos: tuple[bytes, bytes]) -> None:
    settings = config.load(safety={"nsfw": "off"})
    assert "open_nsfw" not in engine_of_settings(settings, interpreters=1).versions
    assert "open_nsfw" in engine_of_settings(config.load(), interpreters=1).versions
    assert "open_nsfw" not in engine_of_settings(config.load(), interpreters=1, inspects=False).versions

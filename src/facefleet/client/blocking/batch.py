# Derived from aio/batch.py by tools/derive_client.py: change it there.
"""Represents a batch at a server: waits for it, reads its items, saves its results, cancels and erases it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from pathlib import Path

from facefleet.client import arguments, requests
from facefleet.client.batches import BatchReceipt, BatchView, batch_receipt, batch_view
from facefleet.client.blocking.task import Task
from facefleet.client.blocking.transport import Transport
from facefleet.client.retry_policy import now
from facefleet.client.views import task_view
from facefleet.errors.client import WaitTimeout
from facefleet.files import check_output

_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 2.0


class Batch:
    """One batch; ``view`` is its state as last fetched.

    Every method raises ``ServerUnreachable`` when the server does not answer, and its own error when it refuses.
    """

    def __init__(self, transport: Transport, view: BatchView) -> None:
        self._transport = transport
        self._view = view

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self.status}>"

    @property
    def id(self) -> str:
        """Its id; ``client.get_batch(id)`` finds it again."""
        return self._view.batch_id

    @property
    def status(self) -> str:
        """``queued``, ``running``, ``ended`` or ``canceled``, as last fetched."""
        return self._view.status

    @property
    def counts(self) -> Mapping[str, int]:
        """State of an item → how many were in it, as last fetched."""
        return self._view.counts

    @property
    def view(self) -> BatchView:
        """Everything last fetched."""
        return self._view

    def refresh(self) -> Batch:
        """Fetch its state."""
        self._view = batch_view(self._transport.document(requests.of_batch(self.id)))
        return self

    def wait(self, timeout: float = 3600.0, progress: Callable[[BatchView], object] | None = None) -> Batch:
        """Wait until every item has ended. Items that failed are no error here: ``counts`` and ``tasks`` show them.

        Args:
            timeout: s to wait at most.
            progress: Called with each change that is fetched meanwhile.

        Raises:
            WaitTimeout: Some have not ended by then; they go on at the server.
        """
        until, pause = now() + arguments.seconds("timeout", timeout, endless=True), _FIRST_PAUSE_SECONDS
        while not self._view.ended:
            left = until - now()
            if left <= 0:
                raise WaitTimeout(
                    f"The batch {self.id} is still {self.status} after {timeout:g} s, with {self._view.done} of "
                    f"{self._view.total} done; it goes on.",
                    batch_id=self.id,
                )
            time.sleep(min(pause, left))
            pause = min(_LONGEST_PAUSE_SECONDS, pause * 1.5)
            view = batch_view(self._transport.document(requests.of_batch(self.id), until))
            if progress is not None and view != self._view:
                progress(view)
            self._view = view
        return self

    def tasks(self) -> Generator[Task, None, None]:
        """Its items, in their order, page by page as they are asked for."""
        with closing(self._transport.pages(requests.tasks(batch=self.id), "tasks")) as documents:
            for document in documents:
                yield Task(self._transport, task_view(document))

    def save_results(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write what has succeeded so far to a ZIP file as it comes, whole or not at all.

        Args:
            path: Of the file, or of a folder that is there; in a folder the file is named by the batch.
            overwrite: Whether a file that is there may be written over.

        Returns:
            Where the file is. It has ``0007.jpg`` for item 7, and ``results.json`` with every item's ``item``,
            ``task_id``, ``status``, ``file`` and ``error``.

        Raises:
            FileExists: There is one already and ``overwrite`` is not given.
            FileUnwritable: The folder is missing or read-only, or the disk is full.
        """
        place = Path(path)
        place = place / f"{self.id}.zip" if place.is_dir() else place
        check_output(place, overwrite=overwrite)
        self._transport.save(requests.of_batch(self.id, "/results"), place, overwrite=overwrite)
        return place

    def cancel(self) -> Batch:
        """End every item that has not ended; to cancel it again changes nothing."""
        self._view = batch_view(self._transport.document(requests.of_batch(self.id, "/cancel", "POST")))
        return self

    def erase(self) -> BatchReceipt:
        """Have the server delete the photos and results of every item now; records without them stay."""
        return batch_receipt(self._transport.document(requests.of_batch(self.id, method="DELETE")))

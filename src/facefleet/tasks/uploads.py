"""Keeps what clients have announced to upload: size, type and digest of a photo that goes to the store by itself.

Whether the photo has come is told by the store alone: an object store takes it without asking the gateway.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import RowMapping, and_, delete, insert, select

from facefleet.clock import Clock
from facefleet.errors.lookup import UploadNotFound
from facefleet.tasks.audit import SERVICE, Action, Origin
from facefleet.tasks.ids import is_id
from facefleet.tasks.records.audit_log import write_entry
from facefleet.tasks.records.chunks import CHUNK
from facefleet.tasks.tables.database import Database
from facefleet.tasks.tables.table import uploads


@dataclass(frozen=True, slots=True)
class Upload:
    """One announced photo.

    Attributes:
        id: UUIDv7.
        tenant: Whose bytes these are.
        subject: Who announced it.
        size: Bytes.
        media_type: Of the photo.
        sha256: Of the photo, in hexadecimal.
        expires_at: Until when it may be sent, and named by requests.
    """

    id: str
    tenant: str
    subject: str
    size: int
    media_type: str
    sha256: str
    created_at: datetime
    expires_at: datetime


class UploadRecords:
    """The announced uploads of one database.

    Every method raises ``RecordsUnavailable`` when the database does not answer.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def add(self, upload: Upload, origin: Origin) -> None:
        """Keep an upload that was announced now."""
        with self._database.write() as connection:
            connection.execute(insert(uploads), asdict(upload))
            write_entry(connection, origin.entry(Action.UPLOAD_CREATE, upload.created_at, upload.id))

    def get(self, tenant: str, upload_id: str) -> Upload:
        """An upload whose time is not over.

        Raises:
            UploadNotFound: There is none of this id, or it is another tenant's.
        """
        if is_id(upload_id):
            mine = and_(uploads.c.id == upload_id, uploads.c.tenant == tenant, uploads.c.expires_at > self._clock())
            with self._database.read() as connection:
                row = connection.execute(select(uploads).where(mine)).mappings().first()
            if row is not None:
                return upload_of(row)
        shown = ascii(upload_id[:64])
        raise UploadNotFound(f"There is no upload {shown}, or its time is over; announce it again.", upload_id=shown)

    def expired(self) -> list[Upload]:
        """Those whose time is over, at most a chunk of them."""
        over = select(uploads).where(uploads.c.expires_at <= self._clock()).order_by(uploads.c.expires_at).limit(CHUNK)
        with self._database.read() as connection:
            return [upload_of(row) for row in connection.execute(over).mappings()]

    def delete(self, upload: Upload, action: Action, origin: Origin = SERVICE) -> None:
        """Forget one whose object is deleted; the audit log says why and by whom."""
        entry = origin.entry(action, self._clock(), upload.id, tenant=upload.tenant)
        with self._database.write() as connection:
            if connection.execute(delete(uploads).where(uploads.c.id == upload.id)).rowcount:
                write_entry(connection, entry)

    def kept(self, upload_ids: Collection[str]) -> dict[str, str]:
        """Id → tenant of those that there are; at most ``CHUNK`` ids at once."""
        with self._database.read() as connection:
            rows = connection.execute(select(uploads.c.id, uploads.c.tenant).where(uploads.c.id.in_(upload_ids)))
            return {row.id: row.tenant for row in rows}


def upload_of(row: RowMapping) -> Upload:
    """The upload of a row."""
    return Upload(**row)

"""The photos of a batch as a command line names them, and what their results are called."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from facefleet import files
from facefleet.cli import output
from facefleet.errors.base import FacefleetError
from facefleet.errors.input import FileUnreadable, RequestError
from facefleet.media.sniff import ImageType, Limits


@dataclass(frozen=True, slots=True)
class Selection:
    """What goes into a batch.

    Attributes:
        sources: Whose faces to take.
        targets: Where to put them.
        template_ids: Where, if the targets are registered ones.
        inputs: What each item has for itself, or is named by.
    """

    sources: list[Path]
    targets: list[Path]
    template_ids: list[str]
    inputs: list[Path]

    @classmethod
    def of(
        cls, photos: Sequence[Path], source: Path | None, target: Path | None, template_ids: Sequence[str]
    ) -> Selection:
        """Photos, and the one thing that they share.

        Args:
            photos: Of the items; a folder stands for the photos in it.
            source: Then they are targets.
            target: Then they are sources.
            template_ids: Then, too; of several, there is one photo.

        Raises:
            RequestError: None or several of the three are given, or several photos and several templates.
            FileUnreadable: A folder cannot be read, or has no photos.
        """
        if [source is not None, target is not None, bool(template_ids)].count(True) != 1:
            raise RequestError("Give one of --source, --target and --template: what all items share.")
        found = [photo for path in photos for photo in _photos(path)]
        if source is not None:
            return cls([source], found, [], found)
        if target is not None:
            return cls(found, [target], [], found)
        if len(template_ids) > 1 and len(found) > 1:
            raise RequestError("Several templates take one photo; give several photos one template.")
        return cls(found, [], list(template_ids), found * len(template_ids))

    def check(self, limits: Limits) -> list[ImageType]:
        """The types of the targets, when every photo is one as the server will find; one is held at a time.

        Raises:
            FileUnreadable: One cannot be read.
            ImageError: One cannot be used.
        """
        for path in self.sources:
            output.typed_photo(path, limits)
        return [output.typed_photo(path, limits)[1] for path in self.targets]

    def names(self, types: Sequence[ImageType]) -> list[str]:
        """File names of the results: those of the inputs, with the target's type; a number where one is taken.

        Args:
            types: Of the targets.
        """
        found: list[str] = []
        taken: set[str] = set()
        for path, media_type in zip(self.inputs, types if len(types) > 1 else [*types] * len(self.inputs), strict=True):
            promised = output.promised_type(path)
            stem = path.name if promised is None else path.stem
            suffix = path.suffix if promised is media_type else media_type.extension
            name, number = stem + suffix, 1
            while name.casefold() in taken:  # some disks do not tell A from a
                number += 1
                name = f"{stem}-{number}{suffix}"
            taken.add(name.casefold())
            found.append(name)
        return found

    @contextmanager
    def naming(self) -> Iterator[None]:
        """Says of a server's refusal which file it is about."""
        try:
            yield
        except FacefleetError as error:
            photos = {"source": self.sources, "target": self.targets}.get(str(error.detail.get("field")), [])
            number = error.detail.get("number")
            if isinstance(number, int) and number < len(photos):
                output.name_path(error, photos[number])
            raise


def _photos(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    try:
        found = [one for one in path.iterdir() if output.promised_type(one) and one.name[0] != "." and one.is_file()]
    except OSError as error:
        raise FileUnreadable(f"{path} cannot be read: {files.reason(error)}.", path=str(path)) from None
    if not found:
        raise FileUnreadable(f"The folder {path} has no file that is named as a photo.", path=str(path))
    return sorted(found)

"""Sorts the photos of ``facefleet batch`` into sources and targets and names the files of their results."""

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
class BatchInputs:
    """The photos and templates of a batch.

    Attributes:
        sources: Whose faces to take.
        targets: Where to put them.
        template_ids: The targets, where they are registered ones.
        inputs: The photo of each item, after which its result is named.
    """

    sources: list[Path]
    targets: list[Path]
    template_ids: list[str]
    inputs: list[Path]

    @classmethod
    def choose(
        cls, photos: Sequence[Path], source: Path | None, target: Path | None, template_ids: Sequence[str]
    ) -> BatchInputs:
        """Sort photos by the one input that all items share.

        Args:
            photos: Of the items; a folder stands for the photos in it.
            source: The shared source; then the photos are targets.
            target: The shared target; then the photos are sources.
            template_ids: Registered targets; then the photos are sources; several targets take one photo.

        Raises:
            RequestError: None or several of the three are given, or several photos and several templates.
            FileUnreadable: A folder cannot be read, or has no photos.
        """
        if [source is not None, target is not None, bool(template_ids)].count(True) != 1:
            raise RequestError("Give one of --source, --target and --template: what all items share.")
        all_photos = [photo for path in photos for photo in _photos(path)]
        if source is not None:
            return cls([source], all_photos, [], all_photos)
        if target is not None:
            return cls(all_photos, [target], [], all_photos)
        if len(template_ids) > 1 and len(all_photos) > 1:
            raise RequestError("Several templates take one photo; give several photos one template.")
        return cls(all_photos, [], list(template_ids), all_photos * len(template_ids))

    def check(self, limits: Limits) -> list[ImageType]:
        """Check every photo as the server will, one in memory at a time, and return the types of the results.

        Raises:
            FileUnreadable: One cannot be read.
            ImageError: One cannot be used.
        """
        for path in self.sources:
            output.typed_photo(path, limits)
        return [output.typed_photo(path, limits)[1].result for path in self.targets]

    def names(self, types: Sequence[ImageType]) -> list[str]:
        """File names of the results: those of the inputs, with the target's type; a number where one is taken.

        Args:
            types: Of the results.
        """
        names: list[str] = []
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
            names.append(name)
        return names

    @contextmanager
    def naming_files(self) -> Iterator[None]:
        """Add the path of the photo to the server's refusals in the block."""
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
        photos = [one for one in path.iterdir() if output.promised_type(one) and one.name[0] != "." and one.is_file()]
    except OSError as error:
        raise FileUnreadable(f"{path} cannot be read: {files.reason(error)}.", path=str(path)) from None
    if not photos:
        raise FileUnreadable(f"The folder {path} has no file that is named as a photo.", path=str(path))
    return sorted(photos)

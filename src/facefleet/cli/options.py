"""Options that several commands have: how to fuse, which faces, whether to write over files, and for whom to print."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Strength = Annotated[float, typer.Option(metavar="0..1", help="How much of the fused face is blended in.")]
MinStrength = Annotated[
    float | None,
    typer.Option(
        metavar="0..1", help="The weakest blend to take where one by --strength would be refused for its looks."
    ),
]
Shape = Annotated[float, typer.Option(metavar="0..1", help="How much of the source's face shape is taken.")]
FaceToTake = Annotated[int | None, typer.Option(metavar="N", help="Index by `facefleet faces`; default: the largest.")]
FaceToReplace = Annotated[
    str | None, typer.Option(metavar="N|all", help="Index by `facefleet faces`, or all; default: the largest.")
]
MoreSources = Annotated[
    list[Path] | None, typer.Option("--source", metavar="MORE", help="Sources 1, 2, …; SOURCE is 0. Repeat it.")
]
Assign = Annotated[
    list[str] | None,
    typer.Option(metavar="SOURCE[:FACE]=TARGETFACE", help="Which face replaces which, as 1:0=2. Repeat it."),
]
Tiles = Annotated[bool, typer.Option("--tiles", help="Find small faces beside large ones, too; slower.")]
Age = Annotated[
    float, typer.Option(metavar="-1..1", help="Experimental: make the fused face younger (-) or older (+).")
]
Force = Annotated[bool, typer.Option("--force", help="Write over an existing file.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

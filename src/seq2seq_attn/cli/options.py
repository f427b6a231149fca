"""Arguments that several verbs take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

ConfigFile = Annotated[Path, typer.Argument(metavar="CONFIG", help="A YAML file.", show_default=False)]
Overrides = Annotated[
    Optional[list[str]],
    typer.Argument(metavar="[key.path=value]...", help="Values that replace those of the file.", show_default=False),
]
RunFolder = Annotated[
    Path, typer.Argument(metavar="RUN", help="A run folder, or a checkpoint folder inside one.", show_default=False)
]
BeamSize = Annotated[
    Optional[int],
    typer.Option("--beam-size", help="Hypotheses per sentence; 1 is greedy search. [default: as configured]"),
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a machine.")]

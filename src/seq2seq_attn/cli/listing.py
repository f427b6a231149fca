"""The verb that lists what there is to choose from: ``attentions``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

import typer

from seq2seq_attn.cli.options import Json
from seq2seq_attn.errors import ConfigError


def attentions(json_output: Json = False) -> None:
    """List the attention mechanisms, one line each with its paper, and the parts that combine with them."""
    from seq2seq_attn.attention import attention_names, find_attention
    from seq2seq_attn.attention.choices import attention_choices

    found, failed = [], []
    for name in attention_names():
        try:
            found.append((name, find_attention(name)))
        except ConfigError as error:  # a package that does not import hides no other
            failed.append(str(error))
    for message in failed:
        typer.echo(message, err=True)
    if json_output:
        rows = [
            {
                "name": name,
                "summary": mechanism.summary,
                "wiring": mechanism.wiring,
                "paper": mechanism.paper,
                "parts": {key: part for key, part in asdict(mechanism.parts).items() if part is not None},
            }
            for name, mechanism in found
        ]
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    _print_table([(name, mechanism.summary, mechanism.wiring, mechanism.paper) for name, mechanism in found])
    typer.echo("\nParts, for model.attention: {score: NAME, KEY: VALUE, ...}:\n")
    _print_table([(f"{choice.key}: {choice.value}", choice.summary, choice.paper) for choice in attention_choices()])


def _print_table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(text) for text in column) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (f"{text:<{width}}" for text, width in zip(row, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())

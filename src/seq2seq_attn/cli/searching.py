"""Options that say how translations are searched for, and what they make of the configuration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from seq2seq_attn.errors import ConfigError

if TYPE_CHECKING:
    from seq2seq_attn.config.schema import DecodingConfig

_SEARCH, _WORDS = "Search, where it is not as configured", "Words that must and must not be there"
_SAMPLING, _RISK, _UNKNOWN = "Sampling", "Minimum Bayes risk", "Unknown words"

BeamSize = Annotated[
    Optional[int],
    typer.Option(
        "--beam-size",
        rich_help_panel=_SEARCH,
        help="Hypotheses per sentence; 1: greedy search. [default: as configured]",
    ),
]
Normalization = Annotated[
    Optional[str],
    typer.Option("--normalization", rich_help_panel=_SEARCH, help="Of scores by length: average, none, gnmt, reward."),
]
LengthPenalty = Annotated[
    Optional[float],
    typer.Option("--length-penalty", rich_help_panel=_SEARCH, help="An exponent; of reward, what a token adds."),
]
CoveragePenalty = Annotated[
    Optional[float],
    typer.Option("--coverage-penalty", rich_help_panel=_SEARCH, help="On source tokens hardly looked at."),
]
MinLength = Annotated[Optional[int], typer.Option("--min-length", rich_help_panel=_SEARCH, help="Fewest tokens.")]
MaxLength = Annotated[Optional[int], typer.Option("--max-length", rich_help_panel=_SEARCH, help="Most tokens.")]
MaxLengthRatio = Annotated[
    Optional[float], typer.Option("--max-length-ratio", rich_help_panel=_SEARCH, help="Most tokens per source token.")
]
NoRepeatNgram = Annotated[
    Optional[int], typer.Option("--no-repeat-ngram", rich_help_panel=_SEARCH, help="No N tokens in a row twice.")
]
RepetitionPenalty = Annotated[
    Optional[float],
    typer.Option("--repetition-penalty", rich_help_panel=_SEARCH, help="Above 1: against tokens already written."),
]
DiverseGroups = Annotated[
    Optional[int],
    typer.Option("--diverse-groups", rich_help_panel=_SEARCH, help="Groups of the beam that avoid one another."),
]
Diversity = Annotated[
    Optional[float], typer.Option("--diversity", rich_help_panel=_SEARCH, help="How much they avoid one another.")
]
Precision = Annotated[
    Optional[str],
    typer.Option("--precision", rich_help_panel=_SEARCH, help="auto, float32, bfloat16 or int8."),
]
BatchSize = Annotated[
    Optional[int], typer.Option("--batch-size", rich_help_panel=_SEARCH, help="Sentences translated at once.")
]
Decoding = Annotated[
    Optional[list[str]],
    typer.Option(
        "--decoding",
        metavar="KEY=VALUE",
        rich_help_panel=_SEARCH,
        help="Any other key of the configuration's decoding section, such as min_length_ratio=0.5.",
    ),
]
Prefix = Annotated[
    Optional[str],
    typer.Option(
        "--prefix", rich_help_panel=_WORDS, help="Begin every translation with these words; but see --constraints."
    ),
]
Require = Annotated[
    Optional[list[str]],
    typer.Option("--require", rich_help_panel=_WORDS, help="A phrase that every translation must have; repeatable."),
]
Forbid = Annotated[
    Optional[list[str]],
    typer.Option("--forbid", rich_help_panel=_WORDS, help="A phrase that no translation may have; repeatable."),
]
Constraints = Annotated[
    Optional[Path],
    typer.Option(
        "--constraints",
        rich_help_panel=_WORDS,
        help='A line of JSON for each line: {"prefix": "...", "require": ["..."]}. A prefix here replaces --prefix.',
    ),
]
Sample = Annotated[
    Optional[bool],
    typer.Option("--sample/--no-sample", rich_help_panel=_SAMPLING, help="Draw translations at random."),
]
Temperature = Annotated[
    Optional[float],
    typer.Option("--temperature", rich_help_panel=_SAMPLING, help="Below 1: closer to the most probable."),
]
TopK = Annotated[
    Optional[int], typer.Option("--top-k", rich_help_panel=_SAMPLING, help="Draw from the K most probable tokens.")
]
TopP = Annotated[
    Optional[float],
    typer.Option(
        "--top-p", rich_help_panel=_SAMPLING, help="Draw from the tokens that have this probability together."
    ),
]
Seed = Annotated[Optional[int], typer.Option("--seed", rich_help_panel=_SAMPLING, help="Another one, other samples.")]
MinimumRisk = Annotated[
    Optional[str],
    typer.Option("--mbr", rich_help_panel=_RISK, help="Choose the candidate most like the others by chrf or bleu."),
]
Candidates = Annotated[
    Optional[int], typer.Option("--candidates", rich_help_panel=_RISK, help="Candidates per sentence.")
]
ReplaceUnknown = Annotated[
    Optional[bool],
    typer.Option(
        "--replace-unknown/--keep-unknown",
        rich_help_panel=_UNKNOWN,
        help="Put the source word looked at in the place of an unknown one.",
    ),
]
Lexicon = Annotated[
    Optional[str],
    typer.Option("--lexicon", rich_help_panel=_UNKNOWN, help="Words for that: source, tab, target; one pair a line."),
]


_KEYS = {
    "beam_size": "beam_size",
    "normalization": "length_normalization",
    "length_penalty": "length_penalty",
    "coverage_penalty": "coverage_penalty",
    "min_length": "min_length",
    "max_length": "max_length",
    "max_length_ratio": "max_length_ratio",
    "no_repeat_ngram": "no_repeat_ngram",
    "repetition_penalty": "repetition_penalty",
    "diverse_groups": "diverse_groups",
    "diversity": "diversity",
    "precision": "precision",
    "batch_size": "batch_sentences",
    "replace_unknown": "replace_unknown",
    "lexicon": "lexicon",
}
"""Options that are keys of the ``decoding`` section."""

_SAMPLING_OPTIONS = ("temperature", "top_k", "top_p", "seed")


def decoding_of(old: DecodingConfig, options: Mapping[str, Any], *, n_best: int = 1) -> DecodingConfig:
    """Return how to search: as configured, but for what the command line says.

    Args:
        old: what the run is configured for.
        options: of the verb, by the names of its parameters; those it does not have are not changed.
        n_best: translations wanted of each sentence; a beam whose size was not chosen is made wide enough.

    Raises:
        ConfigError: if a value is wrong, or options do not go together.
    """
    from seq2seq_attn.config import change_decoding

    if n_best < 1:
        raise ConfigError(f"--n-best is {n_best}, but it must be at least 1")
    changes = _parse_keys(options.get("decoding") or ())
    changes |= {key: options[name] for name, key in _KEYS.items() if options.get(name) is not None}
    if options.get("forbid"):
        forbidden = changes.get("forbidden", list(old.forbidden))
        if isinstance(forbidden, list):  # else it is refused below
            changes["forbidden"] = [*forbidden, *options["forbid"]]
    changes |= _risk_changes(old, options.get("mbr"), options.get("candidates"))
    changes |= _sampling_changes(old, options, changes)
    decoding = change_decoding(old, changes)
    drawn = decoding.sampling is not None or decoding.minimum_risk is not None
    if "beam_size" in changes or drawn or n_best <= decoding.beam_size:
        return decoding
    groups = decoding.diverse_groups
    return change_decoding(decoding, {"beam_size": -(-n_best // groups) * groups})


def _parse_keys(written: Iterable[str]) -> dict[str, Any]:
    """Read ``KEY=VALUE``; values are YAML, as in a configuration."""
    from seq2seq_attn.config import read_value

    changes: dict[str, Any] = {}
    for text in written:
        key, equals, value = text.partition("=")
        if not (key.strip() and equals and value.strip()):
            raise ConfigError(f"--decoding {text}: expected a key and a value such as min_length_ratio=0.5")
        inside = text.strip().removeprefix("decoding.")
        if inside != text.strip():
            raise ConfigError(f"--decoding {text}: keys are those inside of the decoding section; write {inside}")
        try:
            changes[key.strip()] = read_value(value)
        except ConfigError as error:
            raise ConfigError(f"--decoding {text}: {error}") from None
    return changes


def _risk_changes(old: DecodingConfig, utility: str | None, candidates: int | None) -> dict[str, Any]:
    if candidates is not None and (utility == "none" or (utility is None and old.minimum_risk is None)):
        raise ConfigError("--candidates is for minimum Bayes risk; add --mbr chrf or --mbr bleu")
    if utility == "none":
        return {"minimum_risk": None}
    changes = {"minimum_risk.utility": utility, "minimum_risk.candidates": candidates}
    return {key: value for key, value in changes.items() if value is not None}


def _sampling_changes(old: DecodingConfig, options: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    numbers = {f"sampling.{name}": options[name] for name in _SAMPLING_OPTIONS if options.get(name) is not None}
    shown = ", ".join(f"--{name.removeprefix('sampling.').replace('_', '-')}" for name in numbers)
    sample = options.get("sample")
    if sample is False:
        if numbers:
            raise ConfigError(f"--no-sample draws nothing; leave out {shown}")
        return {"sampling": None}
    # what --decoding says of it
    configured = any(key.startswith("sampling.") for key in others) or bool(others.get("sampling"))
    drawn = sample or configured or old.sampling is not None or (options.get("mbr") or "none") != "none"
    if numbers and not drawn:
        raise ConfigError(f"{shown} is for translations that are drawn; add --sample")
    if sample and old.sampling is None and not configured:
        return {"sampling": {}, **numbers}
    return numbers

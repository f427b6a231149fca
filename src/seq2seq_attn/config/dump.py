"""`Config` -> YAML that reads the same here and with every YAML 1.1 reader."""

from __future__ import annotations

import yaml

from seq2seq_attn.config.schema import Config
from seq2seq_attn.config.tree import is_number


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        """Write equal values out instead of pointing from one to the other."""
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # PyYAML quotes what YAML 1.1 would misread; 1e-3 is text there and a number here
    style = "'" if is_number(text) else None
    if not text.isprintable():
        style = '"'  # the only style in which PyYAML gives every line break back
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def dump_config(config: Config) -> str:
    """Write every key of a configuration, defaults included, as YAML.

    Reading it again gives an equal configuration.
    """
    data = config.model_dump(mode="json")
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1_000)

"""How annotations are checked while tests run; see ``conftest.py``."""

from __future__ import annotations

from beartype import BeartypeConf, beartype

check = beartype(conf=BeartypeConf(is_pep484_tower=True))
"""An ``int`` may stand where a ``float`` is asked for, as for every type checker."""

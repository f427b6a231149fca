"""What an attention mechanism promises, as checks that its author can run.

    from seq2seq_attn.testing import check_attention

    print(check_attention(MyScore))

needs torch and this package, nothing else; ``python -m seq2seq_attn.testing NAME`` does the same for a
mechanism known by name, those of installed packages included.
"""

from __future__ import annotations

from seq2seq_attn.testing.kit import check_attention
from seq2seq_attn.testing.report import ConformanceError, Outcome, Report
from seq2seq_attn.testing.subject import Sizes

__all__ = ["ConformanceError", "Outcome", "Report", "Sizes", "check_attention"]

"""``python -m seq2seq_attn`` is the same as ``seq2seq-attn``."""

from seq2seq_attn.cli import main

if __name__ == "__main__":
    main()

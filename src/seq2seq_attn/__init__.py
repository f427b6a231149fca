"""Train, inspect and use LSTM encoder-decoder translators with pluggable attention."""

__version__ = "0.1.0"

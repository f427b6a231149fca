"""From text files to batches: corpora, tokenizers, encoded arrays, batches in a reproducible order."""

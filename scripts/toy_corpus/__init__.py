"""The grammar behind the toy corpus: English sentences, their Portuguese translations, gold word alignments."""

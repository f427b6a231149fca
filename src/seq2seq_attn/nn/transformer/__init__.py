"""The Transformer's own parts (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762).

Axis names, the same in every signature of this package:

    batch       sentences
    query_len   positions that look
    key_len     positions that are looked at
    heads       looks at once
    size        features of a state, the same everywhere between embeddings and output layer
"""

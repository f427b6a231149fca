"""The parts of ``scripts/reproduce.py``: results of papers, tried again in small."""

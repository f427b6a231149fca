"""One model that learns from several: from their translations of its own text, in either direction."""

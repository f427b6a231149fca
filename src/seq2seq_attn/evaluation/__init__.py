"""How good are the translations: corpus scores and where they come from."""

"""The training loop and its parts; it is given what it needs and builds nothing."""

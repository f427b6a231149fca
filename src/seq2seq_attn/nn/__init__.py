"""The parts a model is built from; each takes plain numbers and tensors, none knows the configuration."""

"""Configuration: YAML -> `Config`."""

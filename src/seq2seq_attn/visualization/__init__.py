"""Pictures of what attention did and of how good the translations are."""

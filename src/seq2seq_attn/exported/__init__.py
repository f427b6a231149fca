"""Exported models, opened without torch: manifest, checksums, and an onnxruntime session that can be searched."""

"""From a traced program (torch's ATen operations) to an ONNX graph of standard operations."""

"""Trained models written for other runtimes: ONNX graphs, and a folder that translates in a browser."""

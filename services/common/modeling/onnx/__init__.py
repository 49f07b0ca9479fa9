"""The only part of the modeling library that imports onnx and onnxruntime."""

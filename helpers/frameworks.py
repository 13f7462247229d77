"""PyTorch, TensorFlow and Keras, imported in the one order that works everywhere.

PyPI's PyTorch for Linux brings triton, and PyTorch loads it late: its optimisers do. Triton loaded
after TensorFlow ends the process (both hold a copy of LLVM), triton loaded before it does not. So
nothing else in this project imports TensorFlow or Keras. Without triton nothing is lost.
"""

import os
from contextlib import suppress

# Read at import: Keras on TensorFlow, no log lines of TensorFlow's, and one order of summation.
os.environ |= {
    "KERAS_BACKEND": "tensorflow",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "0",
}

# ruff: noqa: E402, I001
with suppress(ImportError):
    import triton  # noqa: F401
import torch
import tensorflow as tf
import keras

__all__ = ["keras", "tf", "torch"]

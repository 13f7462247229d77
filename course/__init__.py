"""Executes, caches, compares and accepts notebooks as files; knows nothing of what is in them."""

# What makes a kernel's outputs repeat bit for bit, and keeps TensorFlow's log out of them.
KERNEL_ENV = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "0",
}

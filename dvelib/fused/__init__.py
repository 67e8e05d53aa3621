"""The loss on a GPU: Triton kernels, and the attention of PyTorch."""

"""The losses on a GPU, by Triton kernels and PyTorch's fused attention."""

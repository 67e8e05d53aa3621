"""Measurement of time and peak memory, and of the machine's peak rates."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import psutil
import torch

__all__ = ["Machine", "peak_memory", "seconds"]

MINIMUM_SECONDS = 0.3  # of a repeat, which runs short work several times
SAMPLING = 0.001  # seconds between two samples of the memory in use


def seconds(work: Callable[[], object], device: torch.device, repeats: int) -> list[float]:
    """Seconds of one run of the work, one value per repeat, after a run to warm up."""
    once = _timed(work, device, 1)
    times = max(1, int(MINIMUM_SECONDS / max(once, 1e-6)))
    return [_timed(work, device, times) / times for _ in range(repeats)]


def _timed(work: Callable[[], object], device: torch.device, times: int) -> float:
    began = time.perf_counter()
    for _ in range(times):
        work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - began


def peak_memory(prepare: Callable[[], Callable[[], object]], device: torch.device) -> int:
    """Peak memory of one run in bytes, without its inputs.

    ``prepare`` makes the inputs and returns the work. On a CPU it runs in a separate process and
    must be importable; the memory of that process is sampled a thousand times a second.
    """
    if device.type == "cuda":
        work = prepare()
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        work()
        return torch.cuda.max_memory_allocated(device) - before
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        return pool.submit(partial(_own_peak, prepare, torch.get_num_threads())).result()


def _own_peak(prepare: Callable[[], Callable[[], object]], threads: int) -> int:
    torch.set_num_threads(threads)
    _initialise_torch()
    work, process, done = prepare(), psutil.Process(), threading.Event()
    before = peak = process.memory_info().rss

    def watch() -> None:
        nonlocal peak
        while not done.wait(SAMPLING):
            peak = max(peak, process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    work()
    peak = max(peak, process.memory_info().rss)
    done.set()
    watcher.join()
    return peak - before


def _initialise_torch() -> None:
    """Trigger PyTorch's one-time allocations, which count towards no measurement."""
    small = torch.randn(2, 32, 32, requires_grad=True)
    (small @ small.mT).softmax(2).sum().backward()


class Machine:
    """Rates of large matrix products and copies on this machine, from which floors follow."""

    def __init__(self, device: torch.device):
        self.device = device
        self._operations: dict[str, float] = {}
        source = torch.zeros(2**26 if device.type == "cpu" else 2**30, device=device)
        copy = torch.empty_like(source)
        best = min(seconds(lambda: copy.copy_(source), device, 3))
        self.bytes = 2 * source.nbytes / best
        """Bytes per second, read and written."""

    def operations(self, arithmetic: str = "float32") -> float:
        """Operations per second of a large matrix product, measured at the first call.

        ``arithmetic``: float32, bfloat16, or TensorFloat32 (float32 with rounded inputs on a GPU).
        """
        if arithmetic not in self._operations:
            self._operations[arithmetic] = self._product_rate(arithmetic)
        return self._operations[arithmetic]

    def _product_rate(self, arithmetic: str) -> float:
        side = 2048 if self.device.type == "cpu" else 8192
        dtype = torch.bfloat16 if arithmetic == "bfloat16" else torch.float32
        matrix = torch.randn(side, side, device=self.device, dtype=dtype)
        out = torch.empty_like(matrix)
        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("high" if arithmetic == "TensorFloat32" else "highest")
        try:
            best = min(seconds(lambda: torch.mm(matrix, matrix, out=out), self.device, 3))
        finally:
            torch.set_float32_matmul_precision(before)
        return 2 * side**3 / best

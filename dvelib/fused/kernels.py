"""Triton kernels of the expected distance: similarities stay in registers.

Notation as in `dvelib.losses`: logits l_ij = <q_i, t_j>, weights p_ij = softmax_j, distances
d_ij = |e_i - x_j|^power, cost c_i = sum_j p_ij d_ij. The gradient with respect to the logits is
p_ij (d_ij - c_i). The first kernel computes c_i and log sum_j exp l_ij; the other two multiply
the gradient of the logits with t and with q.

Shapes: ``query``, ``target [B,N,D]`` contiguous, D a power of two and at least 16; ``expected
[B,N,2]`` float32 positions (x, y) in input pixels; pixel j of the lattice of side ``side`` lies
at ((j % side) * stride, (j // side) * stride); ``cost``, ``log_total [B,N]`` float32.
"""

import triton
from triton import language as tl

__all__ = ["match", "query_gradient", "target_gradient"]


@triton.jit
def match(
    query,
    target,
    expected,
    cost,
    log_total,
    pixels,
    side,
    stride,
    power,
    DIMENSION: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """For a block of rows of one sample: expected distance and log-sum-exp of each row."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    base = tl.program_id(1).to(tl.int64) * pixels
    q = _vectors(query, base, rows, pixels, DIMENSION)
    x, y = _positions(expected, base, rows, pixels)
    peak = tl.full([ROWS], float("-inf"), tl.float32)
    total = tl.zeros([ROWS], tl.float32)
    weighted = tl.zeros([ROWS], tl.float32)
    for at in range(0, pixels, COLUMNS):
        columns = at + tl.arange(0, COLUMNS)
        t = _vectors(target, base, columns, pixels, DIMENSION)
        logits = tl.dot(q, tl.trans(t), input_precision=PRECISION)
        logits = tl.where((columns < pixels)[None, :], logits, float("-inf"))
        raised = tl.maximum(peak, tl.max(logits, 1))
        weights = tl.exp(logits - raised[:, None])
        kept = tl.exp(peak - raised)
        distance = _distance(x[:, None], y[:, None], columns[None, :], side, stride, power)
        total = total * kept + tl.sum(weights, 1)
        weighted = weighted * kept + tl.sum(weights * distance, 1)
        peak = raised
    inside = rows < pixels
    tl.store(cost + base + rows, weighted / total, mask=inside)
    tl.store(log_total + base + rows, peak + tl.log(total), mask=inside)


@triton.jit
def query_gradient(
    query,
    target,
    expected,
    cost,
    log_total,
    gradient,
    pixels,
    side,
    stride,
    power,
    DIMENSION: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """For a block of rows of one sample: sum_j p_ij (d_ij - c_i) t_j, float32."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    base = tl.program_id(1).to(tl.int64) * pixels
    q = _vectors(query, base, rows, pixels, DIMENSION)
    x, y = _positions(expected, base, rows, pixels)
    inside = rows < pixels
    mean = tl.load(cost + base + rows, mask=inside, other=0.0)
    level = tl.load(log_total + base + rows, mask=inside, other=0.0)
    total = tl.zeros([ROWS, DIMENSION], tl.float32)
    for at in range(0, pixels, COLUMNS):
        columns = at + tl.arange(0, COLUMNS)
        t = _vectors(target, base, columns, pixels, DIMENSION)
        logits = tl.dot(q, tl.trans(t), input_precision=PRECISION)
        logits = tl.where((columns < pixels)[None, :], logits, float("-inf"))
        distance = _distance(x[:, None], y[:, None], columns[None, :], side, stride, power)
        slope = tl.exp(logits - level[:, None]) * (distance - mean[:, None])
        total += tl.dot(slope.to(t.dtype), t, input_precision=PRECISION)
    _store(gradient, base, rows, pixels, total, DIMENSION)


@triton.jit
def target_gradient(
    query,
    target,
    expected,
    cost,
    log_total,
    gradient,
    pixels,
    side,
    stride,
    power,
    DIMENSION: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """For a block of columns of one sample: sum_i p_ij (d_ij - c_i) q_i, float32."""
    columns = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    base = tl.program_id(1).to(tl.int64) * pixels
    t = _vectors(target, base, columns, pixels, DIMENSION)
    total = tl.zeros([COLUMNS, DIMENSION], tl.float32)
    for at in range(0, pixels, ROWS):
        rows = at + tl.arange(0, ROWS)
        inside = rows < pixels
        q = _vectors(query, base, rows, pixels, DIMENSION)
        x, y = _positions(expected, base, rows, pixels)
        mean = tl.load(cost + base + rows, mask=inside, other=0.0)
        # Rows past the end get weight zero.
        level = tl.load(log_total + base + rows, mask=inside, other=float("inf"))
        logits = tl.dot(t, tl.trans(q), input_precision=PRECISION)
        distance = _distance(x[None, :], y[None, :], columns[:, None], side, stride, power)
        slope = tl.exp(logits - level[None, :]) * (distance - mean[None, :])
        total += tl.dot(slope.to(q.dtype), q, input_precision=PRECISION)
    _store(gradient, base, columns, pixels, total, DIMENSION)


@triton.jit
def _vectors(source, base, places, pixels, DIMENSION: tl.constexpr):
    at = (base + places)[:, None] * DIMENSION + tl.arange(0, DIMENSION)[None, :]
    return tl.load(source + at, mask=(places < pixels)[:, None], other=0.0)


@triton.jit
def _positions(expected, base, places, pixels):
    at = expected + (base + places) * 2
    inside = places < pixels
    return tl.load(at, mask=inside, other=0.0), tl.load(at + 1, mask=inside, other=0.0)


@triton.jit
def _distance(x, y, columns, side, stride, power):
    across = x - (columns % side).to(tl.float32) * stride
    down = y - (columns // side).to(tl.float32) * stride
    squared = across * across + down * down
    # A distance of zero stays zero: exp2 of minus infinity is zero.
    return tl.exp2(0.5 * power * tl.log2(squared))


@triton.jit
def _store(gradient, base, places, pixels, total, DIMENSION: tl.constexpr):
    at = (base + places)[:, None] * DIMENSION + tl.arange(0, DIMENSION)[None, :]
    tl.store(gradient + at, total, mask=(places < pixels)[:, None])

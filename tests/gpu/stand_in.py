"""A GPU for tests on any machine: tensors that claim to be on ``cuda:0`` and compute on the CPU.

Inside `gpu` every tensor that the code puts on CUDA is a `GpuTensor`. It holds real numbers, so a
computation on the stand-in equals that on the CPU. As on a GPU, an operation refuses operands on
two devices, a tensor on the GPU has no NumPy array, and a generator belongs to one device.
`Gpu.waits` lists every place where the host would have waited for the device: values that are read
back, copies in either direction and results whose shape depends on values.

PyTorch's FakeTensorMode checks devices too, but in a CUDA build without a driver its tensors have
no backward pass (the autograd engine asks for the device), and without values no branch of the
host is followed.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest import mock

import torch
from kornia.enhance import jpeg
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map_only

from dvelib import augment, warps
from dvelib.fused import loss as fused_loss

GPU = torch.device("cuda", 0)
PACKAGE = Path(augment.__file__).parent
aten = torch.ops.aten
# Their results' shapes, or the values that the host reads, are known when the device is done.
WAITING = {
    aten._local_scalar_dense.default,
    aten.nonzero.default,
    aten.masked_select.default,
    aten._unique2.default,
    aten.unique_dim.default,
    aten.equal.default,
    aten.repeat_interleave.Tensor,
}
FROM_VALUES = {torch.tensor, torch.as_tensor, torch.asarray}
READS = ("item", "tolist", "__bool__", "__float__", "__int__", "__index__", "__contains__")


class GpuTensor(Tensor):
    """A tensor of the stand-in. PyTorch's own code sees a CPU tensor, Python code a CUDA one."""

    held: Tensor
    device = property(lambda self: GPU)
    is_cuda = property(lambda self: True)
    is_cpu = property(lambda self: False)
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, held: Tensor) -> GpuTensor:
        made = Tensor._make_wrapper_subclass(
            cls,
            held.size(),
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device="cpu",
        )
        made.held = held
        return made

    def __repr__(self, **_) -> str:
        return f"GpuTensor({self.held!r})"

    def numpy(self, **_) -> None:
        raise TypeError("can't convert cuda:0 device type tensor to numpy")

    def __array__(self, *_) -> None:
        self.numpy()

    def __deepcopy__(self, memo: dict) -> GpuTensor:
        made = GpuTensor(self.held.detach().clone()).requires_grad_(self.requires_grad)
        made._is_param = getattr(self, "_is_param", False)
        memo[id(self)] = made
        return made

    def __reduce_ex__(self, protocol: int) -> tuple:
        return self.held.detach().__reduce_ex__(protocol)  # saved as a CPU tensor

    def data_ptr(self) -> int:
        return self.held.data_ptr()

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is aten.copy_.default:
            return _copied(*args[:2])
        _check_devices(func, args, kwargs)
        if func in WAITING or (func is aten.index.Tensor and _has_mask(args[1])):
            Gpu.current.wait(str(func))
        held = [tree_map_only(GpuTensor, lambda x: x.held, part) for part in (args, kwargs)]
        result = func(*held[0], **held[1])
        if func._schema.is_mutable:
            return _mutated(func, args, kwargs, result)
        return tree_map_only(Tensor, GpuTensor, result)


def _copied(into: Tensor, source: Tensor) -> Tensor:
    """``copy_``, which alone takes tensors on two devices."""
    if isinstance(into, GpuTensor) != isinstance(source, GpuTensor):
        Gpu.current.wait(f"copy_ between devices of {list(source.shape)}")
    held = [x.held if isinstance(x, GpuTensor) else x for x in (into, source)]
    held[0].copy_(held[1])
    return into


def _check_devices(func, args: tuple, kwargs: dict) -> None:
    """Numbers (tensors without dimensions) may be on the CPU, and so may indices: copied first."""
    if func is aten.index.Tensor or func is aten.index_put_.default:
        if any(x is not None and not isinstance(x, GpuTensor) for x in args[1]):
            Gpu.current.wait(f"{func} with an index on the CPU")
        args = args[:1] + args[2:]
    for operand in tree_leaves((args, kwargs)):
        if isinstance(operand, Tensor) and not isinstance(operand, GpuTensor) and operand.ndim:
            raise RuntimeError(
                f"Expected all tensors to be on the same device, but found at least two devices, "
                f"cuda:0 and cpu: {func} of a CPU tensor {list(operand.shape)}"
            )


def _has_mask(indices: list) -> bool:
    return any(x is not None and x.dtype in (torch.bool, torch.uint8) for x in indices)


def _mutated(func, args: tuple, kwargs: dict, result):
    """The operands that an operation in place has changed, as its schema names them."""
    changed = []
    for place, argument in enumerate(func._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            changed.append(args[place] if place < len(args) else kwargs[argument.name])
    returned = [x for x in tree_leaves(changed) if isinstance(x, Tensor)]
    kept = {id(x.held): x for x in returned if isinstance(x, GpuTensor)}
    return tree_map_only(Tensor, lambda x: kept[id(x)] if id(x) in kept else GpuTensor(x), result)


class _Move(torch.autograd.Function):
    """A copy between the CPU and the stand-in; its gradient is copied back."""

    @staticmethod
    def forward(ctx, tensor: Tensor) -> Tensor:
        if isinstance(tensor, GpuTensor):
            return tensor.held.clone()
        return GpuTensor(tensor.clone())

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        return _Move.apply(gradient)


class GpuGenerator(torch.Generator):
    """A generator of the stand-in; it draws the numbers that one on the CPU would draw."""

    device = property(lambda self: GPU)


class _Generator(torch.Generator):
    """In the place of ``torch.Generator``: makes one of either device."""

    def __new__(cls, device: object = "cpu") -> torch.Generator:
        return GpuGenerator() if _is_gpu(device) else _CpuGenerator(device)


_CpuGenerator = torch.Generator


def _is_gpu(device: object) -> bool:
    return device is not None and torch.device(device).type == "cuda"


class Gpu(TorchFunctionMode):
    """While active, tensors that are asked for on CUDA are stand-ins."""

    current: Gpu

    def __init__(self):
        super().__init__()
        self.waits: list[str] = []
        self._allowed = 0

    def wait(self, reason: str) -> None:
        if self._allowed:
            return
        stack = [f for f in traceback.extract_stack() if PACKAGE in Path(f.filename).parents]
        where = f"{Path(stack[-1].filename).name}:{stack[-1].lineno}" if stack else "the test"
        self.waits.append(f"{where}: {reason}")

    @contextmanager
    def setting_up(self) -> Iterator[None]:
        """Inside this block waiting is not listed."""
        self._allowed += 1
        try:
            yield
        finally:
            self._allowed -= 1

    def __torch_function__(self, func: Callable, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        name = getattr(func, "__name__", "")
        if func in (Tensor.to, Tensor.cuda, Tensor.cpu, Tensor.type_as):
            return self._moved(func, args, kwargs)
        if func is Tensor.pin_memory:
            return args[0]
        if name in READS and isinstance(args[0], GpuTensor):
            self.wait(name)
            return getattr(args[0].held, name)(*args[1:])
        if func is Tensor.numpy and isinstance(args[0], GpuTensor):
            args[0].numpy()
        asked = kwargs.get("device")
        like = next((x for x in args if isinstance(x, Tensor)), None)
        if asked is None and like is None:
            _check_generator(kwargs, False)
            return func(*args, **kwargs)
        on_gpu = isinstance(like, GpuTensor) if asked is None else _is_gpu(asked)
        _check_generator(kwargs, on_gpu)
        if asked is None:
            return func(*args, **kwargs)
        kwargs["device"] = "cpu"
        made = func(*args, **kwargs)
        if not on_gpu or isinstance(made, GpuTensor):
            return made
        if func in FROM_VALUES:
            self.wait(f"{name} copies values from the host")
        return GpuTensor(made)

    def _moved(self, func: Callable, args: tuple, kwargs: dict) -> Tensor:
        tensor, rest = args[0], list(args[1:])
        target = kwargs.pop("device", None)
        if func is Tensor.cpu or func is Tensor.cuda:
            target, func, rest = func.__name__, Tensor.to, []
        elif rest and isinstance(rest[0], Tensor):
            like = rest.pop(0)
            target = like.device
            rest.insert(0, like.dtype)
            func = Tensor.to
        elif rest and isinstance(rest[0], (str, torch.device)):
            target = rest.pop(0)
        rest = [x for x in rest if x is not None]
        here = isinstance(tensor, GpuTensor)
        there = here if target is None else _is_gpu(target)
        flags = [x for x in rest if isinstance(x, bool)]  # non_blocking, copy
        rest = [x for x in rest if not isinstance(x, bool)]
        lazy = kwargs.pop("non_blocking", False) or any(flags[:1])
        if here != there:
            if here or not lazy:
                self.wait(f"a copy to the {'GPU' if there else 'host'} of {list(tensor.shape)}")
            tensor = _Move.apply(tensor)
        return func(tensor, *rest, **kwargs) if rest or kwargs else tensor


def _check_generator(kwargs: dict, on_gpu: bool) -> None:
    generator = kwargs.get("generator")
    if generator is None:
        return
    if _is_gpu(generator.device) != on_gpu:
        raise RuntimeError(
            f"Expected a '{'cuda' if on_gpu else 'cpu'}' device type for generator "
            f"but found '{generator.device.type}'"
        )


_Autocast = torch.autocast


class _GpuAutocast(_Autocast):
    """Autocast of a GPU as that of the CPU, since PyTorch takes the stand-ins for CPU tensors."""

    def __init__(self, device_type: str, *args, **kwargs):
        super().__init__("cpu" if device_type == "cuda" else device_type, *args, **kwargs)


class _Stream:
    def wait_stream(self, other: object) -> None: ...

    def synchronize(self) -> None:
        Gpu.current.wait("synchronize")


def _enter(mode: torch.inference_mode) -> None:
    """Tensors of the stand-in cannot be made in inference mode: gradients are turned off."""
    mode.before = torch.is_grad_enabled()
    torch.set_grad_enabled(mode.before and not mode.mode)


def _exit(mode: torch.inference_mode, *_) -> None:
    torch.set_grad_enabled(mode.before)


_load = torch.load


def _load_to(path: object, *, map_location: object = None, **options) -> object:
    held = _load(path, map_location="cpu", **options)
    return tree_map_only(Tensor, GpuTensor, held) if _is_gpu(map_location) else held


def _cleared() -> None:
    """Forget tensors that the method and kornia keep by device."""
    augment._constant.cache_clear()
    warps._spline.cache_clear()
    jpeg._DCT8_CACHE.clear()
    jpeg._DEFAULT_QT_CACHE.clear()


@contextmanager
def gpu(free: int = 2**34, *, fused: bool = False) -> Iterator[Gpu]:
    """A machine with one GPU, ``free`` bytes of whose memory are free.

    ``fused``: whether the loss believes that its fused kernels work here.
    """
    replaced = {
        "Generator": _Generator,
        "load": _load_to,
        "inference_mode.__enter__": _enter,
        "inference_mode.__exit__": _exit,
        "autocast": _GpuAutocast,
        # Moving a network makes new parameters: those of the stand-in have another type.
        "__future__.get_overwrite_module_params_on_conversion": lambda: True,
        "optim.Optimizer._accelerator_graph_capture_health_check": lambda _: None,
        "cuda.is_available": lambda: True,
        "cuda.is_bf16_supported": lambda *_, **__: True,
        "cuda.mem_get_info": lambda *_: (free, free),
        "cuda.synchronize": lambda *_: None,
        "cuda.get_device_name": lambda *_: "a stand-in",
        "cuda.current_stream": lambda *_: _Stream(),
        "cuda.Stream": lambda *_: _Stream(),
        "cuda.reset_peak_memory_stats": lambda *_: None,
        "cuda.max_memory_allocated": lambda *_: 2**20,
        "cuda.memory_allocated": lambda *_: 0,
    }
    _cleared()
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(fused_loss, "_agrees", lambda *_: fused))
        for name, value in replaced.items():
            stack.enter_context(mock.patch(f"torch.{name}", value))
        stack.enter_context(mock.patch("torch.cuda.stream", lambda _: ExitStack()))
        stack.enter_context(mock.patch.object(GpuTensor, "record_stream", lambda *_: None))
        Gpu.current = stack.enter_context(Gpu())
        try:
            yield Gpu.current
        finally:
            _cleared()

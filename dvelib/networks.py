"""The two networks that turn an image of a face into a map of descriptors.

Notable:

- State keys are those of the published checkpoints, which load with ``strict=True``.
- Both networks halve the side: ``[B,3,S,S] -> [B,D,S/2,S/2]``. Descriptors are not normalised.
- The hourglass is the sequential form that the authors trained: the block before the pooling also
  feeds the skip connection. In the textbook hourglass the two are parallel branches.
"""

from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["NETWORKS", "Hourglass", "SmallNet", "build_network"]

IMAGE_CHANNELS = 3


def _conv_block(inputs: int, outputs: int, kernel: int, padding: int, dilation: int = 1):
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=padding, dilation=dilation),
        nn.BatchNorm2d(outputs),
        nn.LeakyReLU(0.2, inplace=True),
    )


class SmallNet(nn.Module):
    """Six dilated convolutions with a receptive field of 54 px (paper, supplementary material).

    Shapes: ``[B,3,S,S] -> [B,embedding_dim,S//2,S//2]``; images normalised as in
    `dvelib.augment.normalise`. 334,875 parameters at 3 dimensions, 350,552 at 64.
    """

    def __init__(self, embedding_dim: int):
        super().__init__()
        self.conv1 = _conv_block(IMAGE_CHANNELS, 20, 5, padding=2)
        self.mp = nn.MaxPool2d(2)
        self.conv2 = _conv_block(20, 48, 5, padding=2)
        self.conv3 = _conv_block(48, 64, 5, padding=4, dilation=2)
        self.conv4 = _conv_block(64, 80, 3, padding=4, dilation=4)
        self.conv5 = _conv_block(80, 256, 3, padding=2, dilation=2)
        self.conv6 = nn.Conv2d(256, embedding_dim, 1)
        self.apply(_xavier_init)

    def forward(self, images: Tensor) -> Tensor:
        x = self.mp(self.conv1(images))  # [B,20,S/2,S/2]
        for block in (self.conv2, self.conv3, self.conv4, self.conv5):
            x = block(x)
        return self.conv6(x)


def _xavier_init(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.xavier_normal_(module.weight)
        nn.init.zeros_(module.bias)


class _Bottleneck(nn.Module):
    """Pre-activation bottleneck: three (norm, ReLU, convolution) steps and a skip connection."""

    def __init__(self, inputs: int, width: int):
        super().__init__()
        outputs = 2 * width
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, width, 1)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.bn3 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1)
        self.downsample = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else None

    def forward(self, x: Tensor) -> Tensor:
        skip = x if self.downsample is None else self.downsample(x)
        x = self.conv1(F.relu(self.bn1(x)))
        x = self.conv2(F.relu(self.bn2(x)))
        return self.conv3(F.relu(self.bn3(x))) + skip


def _bottlenecks(count: int = 4) -> nn.Sequential:
    return nn.Sequential(*(_Bottleneck(256, 128) for _ in range(count)))


class _HourglassStack(nn.Module):
    """One hourglass of four levels on 256 channels; the side must be divisible by 16."""

    DEPTH = 4

    def __init__(self):
        super().__init__()
        for level in range(self.DEPTH, 0, -1):
            for part in (1, 2, 3):
                self.add_module(f"layer{level}_{part}", _bottlenecks())
        self.layer1_4 = _bottlenecks()

    def forward(self, x: Tensor, level: int = DEPTH) -> Tensor:
        stored = getattr(self, f"layer{level}_1")(x)
        low = getattr(self, f"layer{level}_2")(F.max_pool2d(stored, 2))
        low = self.forward(low, level - 1) if level > 1 else self.layer1_4(low)
        low = getattr(self, f"layer{level}_3")(low)
        return F.interpolate(low, scale_factor=2, mode="nearest") + stored


class Hourglass(nn.Module):
    """One-stack hourglass (Newell et al. 2016, modified by the DVE authors), 12.6 M parameters.

    Shapes: ``[B,3,S,S] -> [B,embedding_dim,S//2,S//2]``; S a multiple of 32 (96 as published).
    """

    def __init__(self, embedding_dim: int):
        super().__init__()
        self.conv1 = nn.Conv2d(IMAGE_CHANNELS, 64, 7, stride=2, padding=3)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = nn.Sequential(_Bottleneck(64, 64))
        self.layer2 = nn.Sequential(_Bottleneck(128, 128))
        self.layer3 = nn.Sequential(_Bottleneck(256, 128))
        self.hg = nn.ModuleList([_HourglassStack()])
        head = nn.Sequential(
            _bottlenecks(),
            nn.Conv2d(256, 256, 1),
            nn.BatchNorm2d(256),
            nn.ReLU(inplace=True),
            nn.Conv2d(256, embedding_dim, 1),
        )
        self.output_layers = nn.ModuleList([head])

    def forward(self, images: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(images)))  # [B,64,S/2,S/2]
        x = self.layer3(self.layer2(self.layer1(x)))  # [B,256,S/2,S/2]
        return self.output_layers[0](self.hg[0](x))


NETWORKS = {"smallnet": SmallNet, "hourglass": Hourglass}


def build_network(architecture: str, embedding_dim: int) -> nn.Module:
    """The network ``smallnet`` or ``hourglass`` with random initial weights."""
    return NETWORKS[architecture](embedding_dim)

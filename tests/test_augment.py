"""Photometric noise has the published magnitudes; colours are normalised as published."""

import pytest
import torch

from dvelib.augment import PhotometricNoise, add_noise, denormalise, normalise

NONE = PhotometricNoise(jpeg_quality=None, colour=0, lighting=0)
JPEG = PhotometricNoise(colour=0, lighting=0)
COLOUR = PhotometricNoise(jpeg_quality=None, lighting=0)
LIGHTING = PhotometricNoise(jpeg_quality=None, colour=0)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def photos(batch=4, side=24, seed=3):
    """Smooth colours with some texture, in 0..255 and not whole numbers."""
    generator = seeded(seed)
    coarse = torch.rand(batch, 3, 4, 4, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, (side, side), mode="bilinear")
    return 20 + 200 * smooth + 10 * torch.rand(smooth.shape, generator=generator)


def test_normalising_uses_the_published_colours():
    mean = 255 * torch.tensor([0.5084, 0.4224, 0.3769])[:, None, None]
    std = 255 * torch.tensor([0.2599, 0.2371, 0.2323])[:, None, None]
    torch.testing.assert_close(normalise(mean), torch.zeros(3, 1, 1), atol=1e-6, rtol=0)
    torch.testing.assert_close(normalise(mean + std), torch.ones(3, 1, 1))


def test_denormalising_undoes_normalising():
    images = 400 * torch.rand(2, 3, 5, 7) - 70
    torch.testing.assert_close(denormalise(normalise(images)), images, atol=1e-3, rtol=0)
    torch.testing.assert_close(normalise(denormalise(images / 100)), images / 100)


def test_no_noise_leaves_whole_grey_levels():
    images = photos()
    images[0, 0, 0, :3] = torch.tensor([-3.0, 260.0, 254.99])
    result = add_noise(images, NONE, seeded())
    torch.testing.assert_close(result, images.clamp(0, 255).floor(), atol=1e-2, rtol=0)


@pytest.mark.parametrize("batch", [1, 2, 8, 9, 17])
@pytest.mark.parametrize("side", [16, 23])
def test_shapes_are_kept(batch, side):
    result = add_noise(photos(batch, side), PhotometricNoise(), seeded())
    assert result.shape == (batch, 3, side, side)
    assert result.isfinite().all()


def test_noise_depends_only_on_the_generator():
    images = photos()
    first = add_noise(images, PhotometricNoise(), seeded(1))
    torch.manual_seed(5)
    assert torch.equal(first, add_noise(images, PhotometricNoise(), seeded(1)))
    assert not torch.equal(first, add_noise(images, PhotometricNoise(), seeded(2)))


def test_the_input_is_not_modified():
    images = photos()
    before = images.clone()
    add_noise(images, PhotometricNoise(), seeded())
    assert torch.equal(images, before)


@pytest.mark.parametrize("noise", [PhotometricNoise(), JPEG, COLOUR, LIGHTING])
def test_noise_differs_between_images(noise):
    images = photos(1).repeat(6, 1, 1, 1)
    result = add_noise(images, noise, seeded())
    distances = torch.cdist(result.flatten(1), result.flatten(1)) + 1e6 * torch.eye(6)
    assert distances.min() > 0.1


def test_noise_of_an_image_does_not_depend_on_the_rest_of_the_batch():
    images = photos(4)
    changed = images.clone()
    changed[1:] = 255 - changed[1:]
    first = add_noise(images, PhotometricNoise(), seeded())[0]
    torch.testing.assert_close(add_noise(changed, PhotometricNoise(), seeded())[0], first)


def test_jpeg_changes_an_image_a_little():
    images = photos(8, 48)
    change = (add_noise(images, JPEG, seeded()) - images.floor()).abs()
    assert 0.3 < change.mean() < 8
    assert change.amax((1, 2, 3)).min() > 1  # none was left out


def test_jpeg_keeps_flat_colours():
    images = torch.tensor([40.0, 120.0, 200.0]).view(1, 3, 1, 1).expand(8, 3, 32, 32)
    assert (add_noise(images, JPEG, seeded()) - images).abs().max() < 6


def test_lower_jpeg_quality_gives_larger_errors():
    images = photos(8, 48)
    losses = []
    for quality in (30, 98):
        noise = PhotometricNoise((quality, quality), jpeg_resize=0, colour=0, lighting=0)
        losses.append((add_noise(images, noise, seeded()) - images.floor()).square().mean())
    assert losses[0] > 3 * losses[1]


def test_brightness_stays_within_the_published_range():
    # Contrast and saturation do not change a uniform grey image.
    grey = torch.full((400, 3, 4, 4), 100.0)
    factors = add_noise(grey, COLOUR, seeded()).mean((1, 2, 3)) / 100
    assert factors.min() >= 0.6 - 1e-4 and factors.max() <= 1.4 + 1e-4
    assert factors.min() < 0.63 and factors.max() > 1.37
    assert factors.mean().item() == pytest.approx(1, abs=0.04)


def test_contrast_and_saturation_change_too():
    image = photos(1, 16).repeat(200, 1, 1, 1)
    result = add_noise(image, COLOUR, seeded())
    # Brightness alone would scale both standard deviations in proportion to the mean.
    mean = result.mean((1, 2, 3))
    contrast = result.mean(1).std((1, 2)) / mean
    saturation = result.std(1).mean((1, 2)) / mean
    assert contrast.std() / contrast.mean() > 0.1
    assert saturation.std() / saturation.mean() > 0.1
    assert torch.corrcoef(torch.stack([contrast, saturation]))[0, 1] < 0.95


def test_lighting_shifts_along_the_published_axes():
    grey = torch.full((4000, 3, 2, 2), 100.0)
    shifts = add_noise(grey, LIGHTING, seeded()) - grey
    torch.testing.assert_close(shifts, shifts[..., :1, :1].expand(-1, -1, 2, 2))
    axes = torch.tensor(
        [[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]]
    )
    deviations = 255 * 0.1 * torch.tensor([0.2175, 0.0188, 0.0045])
    along = shifts[..., 0, 0] @ axes
    assert along.mean(0).abs().max() < 0.3
    torch.testing.assert_close(along.std(0), deviations, rtol=0.05, atol=0)


def test_the_colour_shift_is_not_clipped():
    white, black = torch.full((50, 3, 2, 2), 255.0), torch.zeros(50, 3, 2, 2)
    assert add_noise(white, LIGHTING, seeded()).max() > 256
    assert add_noise(black, LIGHTING, seeded()).min() < -1


def test_the_shift_of_the_mean_is_of_the_published_size():
    images = photos(64, 16)
    result = add_noise(images, PhotometricNoise(), seeded())
    shift = result.mean((2, 3)) - images.mean((2, 3))
    # A brightness factor in 0.6..1.4 dominates: 0.23 of the mean at one standard deviation.
    assert 0.1 < (shift / images.mean((2, 3))).std() < 0.35
    assert (shift / images.mean((2, 3))).abs().max() < 0.6

"""Averaged weights, several auxiliaries and a plain start: the recipe for small budgets."""

import pytest
import torch
from torch import nn

from dvelib.checkpoints.specifications import EmbeddingSpec, validate
from dvelib.common.errors import StudyError
from dvelib.losses import equivariance_loss, exchange_loss
from dvelib.training.averaging import averaged_model
from dvelib.training.embedding_step import specified_loss
from tests.training.test_embeddings import tiny_spec


def test_the_average_is_that_of_the_formula():
    network, eta = nn.BatchNorm1d(2), 3.0
    average = averaged_model(network, eta)
    expected = network.weight.detach().clone()
    for step in range(1, 6):
        with torch.no_grad():
            network.weight.copy_(torch.tensor([step, step**2]))
            network.running_mean.fill_(step)
            network.num_batches_tracked.fill_(step)
        average.update_parameters(network)
        expected += (eta + 1) / (step + eta) * (network.weight.detach() - expected)
        assert torch.allclose(average.module.weight, expected)
    assert average.module.num_batches_tracked == 5
    assert 1 < average.module.running_mean[0] < 5


def test_the_first_step_gives_the_weights_themselves():
    network = nn.Linear(2, 2)
    average = averaged_model(network, 8.0)
    with torch.no_grad():
        network.weight.fill_(7)
    average.update_parameters(network)
    assert torch.equal(average.module.weight, network.weight)


@pytest.fixture
def maps():
    generator = torch.Generator().manual_seed(0)
    first, second = torch.randn(2, 4, 3, 5, 5, generator=generator)
    grid = torch.rand(4, 10, 10, 2, generator=generator) * 2 - 1
    return first, second, grid


def test_several_auxiliaries_give_the_mean_of_their_losses(maps):
    first, second, grid = maps
    one = []
    for shift in (1, 2, 3):
        # The auxiliary of sample b is sample b+1 of this order.
        order = [(shift * place) % 4 for place in range(4)]
        if sorted(order) == list(range(4)):
            one.append(exchange_loss(first[order], second[order], grid[order]))
        else:  # two rings of two samples: b with b+2
            rings = [exchange_loss(*(x[[b, b + 2]] for x in maps)) for b in (0, 1)]
            one.append(torch.stack(rings).mean())
    assert torch.allclose(exchange_loss(*maps, auxiliaries=3), torch.stack(one).mean())


@pytest.mark.parametrize("auxiliaries", [0, 4])
def test_auxiliaries_are_other_images_of_the_batch(maps, auxiliaries):
    with pytest.raises(ValueError, match="auxiliaries must be 1 to 3"):
        exchange_loss(*maps, auxiliaries=auxiliaries)


def test_a_specification_with_too_many_auxiliaries_is_refused():
    values = tiny_spec().model_dump(mode="json") | {"auxiliaries": 9, "batch": 4}
    with pytest.raises(StudyError, match="auxiliaries 9 must be fewer than the batch of 4"):
        validate(EmbeddingSpec, values, "here")


def test_the_first_steps_are_without_exchange(maps):
    spec = tiny_spec(plain_steps=2)
    assert torch.equal(specified_loss(spec, 1)(*maps), equivariance_loss(*maps))
    assert torch.equal(specified_loss(spec, 2)(*maps), exchange_loss(*maps))

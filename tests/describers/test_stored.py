import pandas as pd
import pytest
import torch

from dvelib.checkpoints.specifications import DataSpec, EmbeddingSpec
from dvelib.checkpoints.storage import Embedding
from dvelib.data import open_dataset
from dvelib.data.cache import cache_folder
from dvelib.describers.stored import described
from dvelib.networks import SmallNet


@pytest.fixture
def embedding(tmp_path):
    spec = EmbeddingSpec(data=DataSpec(name="synthetic"), dimension=4, size=24, crop=4, steps=1)
    return Embedding(SmallNet(4).eval(), spec, {}, pd.DataFrame(), tmp_path)


@pytest.fixture
def faces():
    return open_dataset("synthetic", None, "test", size=24, crop=4, limit=70)


def left_over():
    return list(cache_folder().glob("descriptors-*"))


def test_every_image_is_described_as_the_network_describes_it_alone(embedding, faces):
    with described(embedding, faces) as maps, torch.inference_mode():
        assert maps.shape == (70, 4, 8, 8) and maps.dtype == torch.float32
        for i in (0, 63, 64, 69):
            alone = embedding.network(faces.image(i)[None])[0]
            torch.testing.assert_close(maps[i], alone, atol=1e-5, rtol=1e-4)


def test_what_does_not_fit_in_memory_is_mapped_from_a_file_and_removed(embedding, faces):
    with described(embedding, faces) as maps:
        expected = maps.clone()
        assert not left_over()
    with described(embedding, faces, memory=1000) as maps:
        assert len(left_over()) == 1
        assert torch.equal(maps, expected)
        assert torch.equal(maps[torch.tensor([69, 3])], expected[[69, 3]])
    assert not left_over()


def test_the_file_goes_also_when_the_work_on_it_fails(embedding, faces):
    with pytest.raises(KeyError), described(embedding, faces, memory=0):
        raise KeyError
    assert not left_over()

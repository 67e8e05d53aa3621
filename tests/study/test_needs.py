"""What jobs ask for grows with what they do."""

import pytest

from dvelib.study.needs import Needs, embedding_needs, regressors_needs, table_needs
from dvelib.study.plan import Study


@pytest.fixture(scope="module")
def quick():
    return Study.load("quick")


@pytest.fixture(scope="module")
def paper():
    return Study.load("paper", "/nowhere", without_data=True)


def of(study: Study, **values) -> str:
    """The first embedding of the study with these values."""
    return next(
        name
        for name, spec in study.embeddings.items()
        if all(getattr(spec, key) == value for key, value in values.items())
    )


def test_a_short_training_on_small_images_needs_little(quick):
    for name, spec in quick.embeddings.items():
        needs = embedding_needs(quick, name)
        assert (needs.threads, needs.gpus) == (1, 0)
        # They take at most two minutes, in less than 1.5 GB.
        assert 1500 < needs.megabytes < 3000 and 10 <= needs.minutes < 30, spec.label


def test_the_published_trainings_need_more(paper):
    small, large = (
        embedding_needs(paper, of(paper, architecture=architecture, parent=None), gpus=1)
        for architecture in ("smallnet", "hourglass")
    )
    # 146,501 images of 100 by 100 pixels are 4.4 GB.
    assert small.megabytes > 8000 and small.gpus == 1
    assert 48 * 60 > small.minutes > 60 and large.minutes > 5 * small.minutes


def test_processors_gpus_and_machines_make_it_shorter(paper):
    name = of(paper, architecture="smallnet", parent=None)
    minutes = [
        embedding_needs(paper, name, gpus, machines).minutes
        for gpus, machines in ((0, 1), (1, 1), (4, 1), (4, 2))
    ]
    assert minutes == sorted(minutes, reverse=True) and len(set(minutes)) == 4
    assert embedding_needs(paper, name, 4).threads == 4


def test_several_regressors_take_the_time_of_all_and_the_memory_of_one(quick):
    names = max(quick.regressors_by_embedding().values(), key=len)
    assert len(names) > 3
    each = [regressors_needs(quick, [name]) for name in names]
    together = regressors_needs(quick, names)
    assert together.megabytes == max(needs.megabytes for needs in each)
    assert together.minutes >= max(needs.minutes for needs in each)


def test_only_a_table_that_trains_itself_uses_a_gpu(quick):
    gpus = {name: table_needs(quick, name, gpus=4).gpus for name in quick.tables}
    assert gpus == {name: int(name == "any_descriptor") for name in quick.tables}
    minutes = {name: table_needs(quick, name).minutes for name in quick.tables}
    assert max(minutes, key=minutes.get) == "any_descriptor"


def test_each_attempt_asks_for_more_memory_and_time():
    assert Needs(2, 1, 3000, 20).on_attempt(2) == Needs(2, 1, 6000, 40)

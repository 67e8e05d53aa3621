"""Texts about a dataset give its own name and count, and say where images are stand-ins."""

import pytest
from markupsafe import Markup

from dvelib.common.markup import data_name, data_text, duration, whole_words


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ({"images": 5}, "X, test split, 5 images"),
        (
            {"images": 2_995, "published": 2_995},
            "X, test split, 2,995 images (the whole published split)",
        ),
        ({"images": 9, "published": 20}, "X, test split, 9 images (the published split has 20)"),
        (
            {
                "images": 554,
                "published": 689,
                "parts": {
                    "lfpw": {"found": 224, "published": 224},
                    "ibug": {"found": 0, "published": 135},
                },
            },
            "X, test split, 554 images (the published split has 689; lfpw 224 of 224, "
            "ibug 0 of 135)",
        ),
        # The same number of images, but other images.
        (
            {"images": 1_000, "published": 1_000, "stand_in": "machine labels"},
            "X, test split, 1,000 images (standing in for the published split of 1,000: "
            "machine labels)",
        ),
        (
            {"images": 3, "stand_in": "drawn"},
            "X, test split, 3 images (standing in for the published split: drawn)",
        ),
    ],
)
def test_the_text_gives_both_counts(facts, text):
    assert data_text({"dataset": "X", "split": "test"} | facts) == text


def test_the_name_marks_stand_ins_and_partial_splits():
    audit = {"dataset": "300-W", "images": 554, "published": 689, "complete": False}
    assert data_name(audit) == "300-W (554 of 689)"
    assert data_name(audit | {"stand_in": "others"}) == "300-W (stand-in)"
    assert data_name(audit | {"published": None}) == "300-W (stand-in)"
    assert data_name(audit | {"complete": True}) == "300-W"


def test_words_with_a_hyphen_stay_whole_and_text_is_escaped():
    assert whole_words("64-d <b>") == '<span class="whole">64-d</span> &lt;b&gt;'
    assert whole_words("AFLW<sub>R</sub>, -0.5 and 1e-5") == (
        'AFLW<sub>R</sub>, -0.5 and <span class="whole">1e-5</span>'
    )
    assert whole_words(Markup('<a class="a-b">x-y</a>')) == (
        '<a class="a-b"><span class="whole">x-y</span></a>'
    )


def test_durations_are_readable():
    assert [duration(s) for s in (5, 119, 200, 7260)] == ["5 s", "119 s", "3 min", "2 h 01 min"]

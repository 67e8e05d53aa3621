"""From nothing to a predictor in JupyterLab, in a real browser: click, learn, correct, learn."""

import csv
import json
import shutil

import numpy as np
import pytest
from playwright.sync_api import expect

from dvelib.own.drawn_fish import LANDMARKS, SHAPE, draw_fish
from dvelib.own.embedding_training import train_embedding
from dvelib.own.landmark_file import LandmarkFile, read_predictions
from dvelib.own.predictor import load_predictor
from dvelib.own.widget import SIDE, TOOLBAR
from tests.browser.jupyterlab import PATIENCE, complaints

TINY = {"dimension": 4, "size": 24, "crop": 2, "batch": 4, "steps": 3, "device": "cpu"}
COUNT, LABELLED = 14, 10

expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Fish without labels, and their embedding."""
    place = tmp_path_factory.mktemp("sitting")
    draw_fish(place / "truth", COUNT, test=0)
    shutil.copytree(place / "truth", place / "fish", ignore=shutil.ignore_patterns("landmarks.*"))
    train_embedding(place / "fish", say=lambda text: None, fit="whole", **TINY)
    return place


def click_on(canvas, x, y):
    """Click on pixel (x, y) of the picture that the canvas shows."""
    width, height = SHAPE
    box = canvas.bounding_box()
    inch = box["width"] / (TOOLBAR + SIDE)
    scale = SIDE * inch / max(width, height)
    left = TOOLBAR * inch + (SIDE * inch - scale * width) / 2
    top = (SIDE * inch - scale * height) / 2
    canvas.click(position={"x": left + (x + 0.5) * scale, "y": top + (y + 0.5) * scale})


def rows(folder):
    with (folder / "landmarks.csv").open() as stream:
        return list(csv.DictReader(stream))


def test_from_nothing_to_a_predictor(place, lab):
    fish, truth = place / "fish", LandmarkFile(place / "truth")
    options = {"landmarks": list(LANDMARKS), "pictures": LABELLED, "epochs": 1}
    with lab.run_all("annotate", folder=str(fish), **options) as page:
        learn = page.get_by_role("button", name="learn and predict", exact=True)
        learn.wait_for()
        canvas = page.locator(".jupyter-matplotlib-canvas-container canvas").last
        canvas.scroll_into_view_if_needed()
        for picture in range(LABELLED):
            shown = page.get_by_text(f"{picture + 1} of {LABELLED} suggested pictures")
            name = shown.text_content().split(": ")[1]
            for landmark, point in zip(LANDMARKS, truth.points(name), strict=True):
                expect(page.get_by_text(f"Click to set {landmark}.")).to_be_visible()
                click_on(canvas, *point)
            expect(page.get_by_text("All landmarks are set.")).to_be_visible()
            page.get_by_role("button", name="next picture", exact=True).click()
        labels = LandmarkFile(fish)
        assert len(labels.annotated()) == LABELLED and labels.count == len(LANDMARKS)
        for name in labels.annotated():
            np.testing.assert_allclose(labels.points(name), truth.points(name), atol=1)

        learn.click()
        hollow = page.get_by_text("Hollow marks are predictions")
        expect(hollow).to_be_visible()
        first = load_predictor(place / "fish-regressor", "cpu")
        assert first.names == LANDMARKS
        assert len(read_predictions(fish, len(LANDMARKS)).points) == COUNT

        shown = page.get_by_text(f"1 of {COUNT - LABELLED} suggested pictures")
        name = shown.text_content().split(": ")[1]
        click_on(canvas, *truth.points(name)[0])
        expect(page.get_by_text(f"Click to set {LANDMARKS[1]}, or accept")).to_be_visible()
        found = LandmarkFile(fish).points(name)
        np.testing.assert_allclose(found[0], truth.points(name)[0], atol=1)
        assert np.isnan(found[1:]).all()  # predictions that are not accepted are no labels
        page.get_by_role("button", name="accept predictions", exact=True).click()
        expect(page.get_by_text("All landmarks are set.")).to_be_visible()
        assert not np.isnan(LandmarkFile(fish).points(name)).any()

        before = json.loads((place / "fish-regressor" / "origin.json").read_text())
        learn.click()
        shown = page.get_by_text(f"1 of {COUNT - LABELLED - 1} suggested pictures")
        expect(shown).to_be_visible()
        after = json.loads((place / "fish-regressor" / "origin.json").read_text())
        assert after["landmarks"] != before["landmarks"]
        assert load_predictor(place / "fish-regressor", "cpu")(fish / name).shape == (5, 2)
        assert complaints(page) == []

"""Run All in JupyterLab, as a reader does it: the lesson, and the notebook of a table."""

from dvelib.study.plan import Study
from tests.browser.jupyterlab import complaints

# The width of each figure's drawing, of a chart that of its wide form.
FIGURES = """() => [...document.querySelectorAll('.jp-Notebook figure')]
  .map(figure => +figure.querySelector('svg.drawn').getAttribute('width'))"""


def test_the_lesson_runs_without_errors_and_shows_its_figures(lab):
    with lab.run_all("how_dve_works", pairs=80, faces=100) as page:
        assert complaints(page) == []
        widths = page.evaluate(FIGURES)
        assert len(widths) == 5 and min(widths) > 300


def cheapest_table(study):
    """The table that needs the fewest trainings, and no networks of other people."""

    def trainings(name):
        rows = study.rows[name]
        return len({part for row in rows for part in (*row.embeddings, *row.regressors)})

    own = [name for name, table in sorted(study.tables.items()) if table.measures != "describers"]
    return min(own, key=trainings)


def test_a_table_runs_without_errors_and_shows_its_numbers(lab):
    study = Study.load("smoke")
    table = cheapest_table(study)
    values = {"profile": "smoke", "table": table, "outputs": str(lab.folder / "outputs")}
    with lab.run_all(study.tables[table].notebook, **values) as page:
        assert complaints(page) == []
        assert page.locator(".jp-OutputArea td.number").count() > 3
        assert min(page.evaluate(FIGURES)) > 300

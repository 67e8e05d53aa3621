import io
import os
import sys
import types

from dvelib.common import progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def shown(monkeypatch, stream, **environment):
    monkeypatch.setattr("sys.stderr", stream)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    bar = progress.progress_bar(4, "work", "pairs")
    bar.delay = bar.mininterval = 0
    for _ in range(4):
        bar.update()
        bar.refresh()
    bar.close()
    return stream.getvalue()


def test_track_yields_every_item():
    assert list(progress.track(iter("abc"), 3, "letters", "letters")) == ["a", "b", "c"]


def test_a_terminal_gets_a_bar_with_rate_and_time_left(monkeypatch):
    text = shown(monkeypatch, Terminal())
    assert "\r" in text and "work" in text and "pairs/s" in text and "100%" in text


def test_a_log_gets_lines(monkeypatch):
    text = shown(monkeypatch, io.StringIO())
    assert "\r" not in text and text.endswith("\n") and "pairs" in text


def test_jobs_that_share_a_terminal_write_lines(monkeypatch):
    text = shown(monkeypatch, Terminal(), **{progress.LINES_ONLY: "1"})
    assert "\r" not in text and text.count("\n") >= 4


def test_lines_only_restores_the_environment(monkeypatch):
    monkeypatch.delenv(progress.LINES_ONLY, raising=False)
    with progress.lines_only():
        assert os.environ[progress.LINES_ONLY]
    assert progress.LINES_ONLY not in os.environ
    monkeypatch.setenv(progress.LINES_ONLY, "yes")
    with progress.lines_only():
        pass
    assert os.environ[progress.LINES_ONLY] == "yes"


def test_a_notebook_shows_a_widget_unless_it_runs_in_batch(monkeypatch):
    from tqdm.notebook import tqdm_notebook

    shell = types.SimpleNamespace(kernel=object())
    jupyter = types.SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(sys.modules, "IPython", jupyter)
    monkeypatch.delenv(progress.LINES_ONLY, raising=False)
    with progress.progress_bar(3, "work", "things", silent=True) as bar:
        assert isinstance(bar, tqdm_notebook)
    monkeypatch.setenv(progress.LINES_ONLY, "1")
    with progress.progress_bar(3, "work", "things", silent=True) as bar:
        assert not isinstance(bar, tqdm_notebook)

"""The command ``dve``: check, run and read the study. Mistakes are answered in one sentence."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dvelib.checkpoints.pretrained import EMBEDDINGS
from dvelib.common.errors import StudyError
from dvelib.common.files import ROOT, atomic_path, record_failure
from dvelib.own.commands import (
    add_commands,
    add_regress_options,
    add_train_options,
    own_pictures,
)

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options) or 0
    except StudyError as error:
        print(f"dve: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("dve: stopped: the same command goes on from here", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="dve", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")

    def command(name: str, run, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(run=run)
        sub.add_argument("--profile", default="quick", help="a file in params/profiles (quick)")
        sub.add_argument("--data", default=None, help="folder that holds the datasets")
        sub.add_argument("--outputs", default=None, help="where results go (outputs)")
        return sub

    study = command("study", _study, "Run whatever of a profile has not been run yet.")
    study.add_argument("--cores", default=str(os.cpu_count()), help="CPU cores to use (all)")
    study.add_argument("rest", nargs="*", help="after --: options for snakemake")
    plan = command("plan", _plan, "Check a profile and list what it asks for; runs nothing.")
    plan.add_argument(
        "--measure",
        action="store_true",
        help="train each kind of network a few seconds here, to estimate hours",
    )
    for name, run, text in (
        ("embedding-page", _embedding_page, "Execute the notebook of a trained embedding."),
        ("table", _table, "Execute the notebook of a table."),
    ):
        command(name, run, text).add_argument("name")
    command("explorer-page", _explorer_page, "Execute the explorer on a study, as a page.")
    text = "Train one embedding, of the plan or on your own pictures, or resume it."
    train = command("train", _train, text)
    train.add_argument("name", nargs="?", help="an embedding of the plan (see: dve plan)")
    add_train_options(train)
    text = "Train one landmark regressor, of the plan or on your own labels, or resume it."
    regress = command("regress", _regress, text)
    regress.add_argument("name", nargs="?", help="a regressor of the plan (see: dve plan)")
    regress.add_argument(
        "--on",
        metavar="DATASET",
        help="learn the landmarks of this dataset "
        "(mafl, 300w, aflw, ...) instead, as published; needs --embedding",
    )
    regress.add_argument("--published", metavar="NAME", help="which experiment a .pth file is")
    regress.add_argument("--limit", type=int, help="with --on: the first so many faces of a split")
    add_regress_options(regress)
    add_commands(commands)
    _add_recipes(commands)
    _add_bench(commands)
    command("site", _site, "Build the pages from what has been run.")
    publish = command(
        "publish", _publish, "Keep a finished study's results in git, and in the README."
    )
    publish.add_argument(
        "--weights",
        action="store_true",
        help="instead, make its small embeddings those that come along",
    )
    for name, run, text in (
        ("fetch", _fetch, "Download a published dataset and unpack it where the study looks."),
        ("check", _check, "Say what is there of a dataset beside what was published."),
    ):
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(run=run)
        sub.add_argument("dataset", help="celeba, 300w, aflw or aflw-mtfl")
        sub.add_argument("--data", default=None, help="folder that holds the datasets")
    sub.add_argument("--images", action="store_true", help="decode every image, too")
    return parser


def _add_recipes(commands) -> None:
    text = "Measure how well an embedding matches points, by the published protocol and others."
    match = commands.add_parser("match", help=text, description=text)
    match.set_defaults(run=_match)
    match.add_argument(
        "embedding",
        help="folder of an embedding, the name of one that comes "
        f"along ({', '.join(EMBEDDINGS)}), or a published .pth file",
    )
    match.add_argument("--on", metavar="DATASET", default="mafl", help="whose test faces (mafl)")
    match.add_argument("--data", default=None, help="folder that holds the datasets")
    match.add_argument("--published", metavar="NAME", help="which experiment a .pth file is")
    match.add_argument("--limit", type=int, help="the first so many faces alone (all)")
    match.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    text = "Download the weights of a published experiment, and convert them."
    model = commands.add_parser("fetch-model", help=text, description=text)
    model.set_defaults(run=_fetch_model)
    model.add_argument("name", help="an experiment, such as celeba-smallnet-64d-dve")
    model.add_argument("--out", default=None, help="where models go (outputs/models)")


def _add_bench(commands) -> None:
    text = "Measure what the parts cost beside the straightforward forms of the same formulas."
    bench = commands.add_parser("bench", help=text, description=text)
    bench.set_defaults(run=_bench)
    bench.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    bench.add_argument("--repeats", type=int, default=5, help="timings of each form (5)")
    bench.add_argument("--out", default=None, help="where it goes (outputs/benchmark)")
    bench.add_argument("--small", action="store_true", help="tiny problems, to see that it runs")
    bench.add_argument("--publish", action="store_true", help="keep the results in git, too")


def _bench(options: argparse.Namespace) -> None:
    from dvelib.pages.execute import execute
    from dvelib.pages.publish import publish_benchmark
    from dvelib.pages.render import render

    folder = Path(options.out or ROOT / "outputs" / "benchmark").expanduser().resolve()
    parameters = {"device": options.device, "repeats": options.repeats, "small": options.small}
    page = folder / "page.ipynb"
    execute(ROOT / "notebooks" / "benchmark.ipynb", parameters | {"outputs": str(folder)}, page)
    with atomic_path(page.with_suffix(".html")) as temporary:
        temporary.write_text(render(page, home=None))
    print(f"the benchmark is at {page.with_suffix('.html')}")
    if options.publish:
        print(f"published in {publish_benchmark(folder)}")


def _match(options: argparse.Namespace) -> None:
    from dvelib.recipes import match, open_embedding

    embedding = open_embedding(options.embedding, options.published, options.device)
    print(f"{embedding.spec.label} on {options.on}: mean error, pixels of a 70-pixel face")
    print(match(embedding, options.on, options.data, options.limit).round(2).to_string())


def _fetch_model(options: argparse.Namespace) -> None:
    from dvelib.recipes import fetch_model

    folder = Path(options.out or ROOT / "outputs" / "models").expanduser()
    print(f"{fetch_model(options.name, folder)} (dve match takes it)")


def _regress_on(options: argparse.Namespace) -> None:
    """A benchmark's landmarks on any embedding, with the published settings unless told."""
    from dvelib.recipes import open_embedding, regress

    if options.name or options.landmarks or not options.embedding:
        raise StudyError("dve regress --on takes --embedding, and neither a name nor --landmarks")
    embedding = open_embedding(options.embedding, options.published, options.device or "auto")
    folder = Path(options.out or embedding.folder / f"regressor-{options.on}")
    settings = {key: getattr(options, key) for key in ("epochs", "batch", "seed")}
    settings |= {"train_images": options.limit, "test_images": options.limit}
    settings = {key: value for key, value in settings.items() if value is not None}
    _, errors = regress(embedding, options.on, options.data, folder, **settings)
    print(
        f"{embedding.spec.label} on {options.on}: {errors['error']:.2f} % of the inter-ocular "
        f"distance (95 % interval over images {errors['low']:.2f} to {errors['high']:.2f}); "
        f"the mean shape {errors['mean shape']:.2f} %; the regressor is in {folder}"
    )


def _load(options: argparse.Namespace, **how):
    from dvelib.study.plan import Study

    return Study.load(options.profile, options.data, outputs=options.outputs, **how)


def _study(options: argparse.Namespace) -> int:
    """Check everything, then hand over to Snakemake under a lock that dies with it."""
    from dvelib.pages.workflow import run_workflow

    if options.cores != "all" and not (options.cores.isdecimal() and int(options.cores) > 0):
        raise StudyError(f"--cores must be a number from 1 on, or all, got {options.cores!r}")
    study = _load(options, without_data=True)
    if study.missing:
        return _say_what_is_missing(study)
    study = _load(options)
    study.prepare()
    return run_workflow(study, options.cores, options.rest)


def _say_what_is_missing(study) -> int:
    """One line a dataset, and a page with the same: where it belongs and how to get it."""
    from dvelib.study.hours import missing_data, write_missing_page

    for data in missing_data(study):
        print(f"dve: {data['message']} (get it with: {data['fetch']})", file=sys.stderr)
    page = write_missing_page(study)
    print(f"dve: nothing was run; {page} says what is missing", file=sys.stderr)
    return 2


def _plan(options: argparse.Namespace) -> None:
    from dvelib.study.hours import measured_rates, plan_lines

    study = _load(options, without_data=True)
    rates = measured_rates(study) if options.measure else None
    for line in plan_lines(study, rates):
        print(line)


def _train(options: argparse.Namespace) -> None:
    from dvelib.training.embeddings import train

    if own_pictures(options, "train"):
        return
    study = _load(options)
    spec = _pick(study.embeddings, options.name, "embedding")
    folder = study.embedding_folder(options.name)
    with _at_work(study, folder, f"embedding {options.name}"):
        faces, parent = study.training_data(spec), study.parent_folder(options.name)
        train(spec, faces, folder, device=study.profile.device, parent=parent)


def _regress(options: argparse.Namespace) -> None:
    from dvelib.checkpoints.storage import load_embedding
    from dvelib.common.devices import resolve_device
    from dvelib.training.landmark_workflow import learn_landmarks

    if options.on is not None:
        return _regress_on(options)
    if own_pictures(options, "regress"):
        return
    study = _load(options)
    spec = _pick(study.regressors, options.name, "regressor")
    folder = study.regressor_folder(options.name)
    with _at_work(study, folder, f"regressor {options.name}"):
        device = resolve_device(study.profile.device)
        embedding = load_embedding(study.embedding_folder(spec.embedding), device)
        train, test = (study.benchmark_data(spec, split) for split in ("train", "test"))
        learn_landmarks(spec, embedding, train, test, folder)


@contextmanager
def _at_work(study, folder: Path, what: str) -> Iterator[None]:
    """Threads as the profile says; what stops the work is left where the site's index finds it."""
    import torch

    torch.set_num_threads(study.profile.threads)
    try:
        yield
    except StudyError as error:
        record_failure(folder, what, str(error))
        raise


def _embedding_page(options: argparse.Namespace) -> None:
    from dvelib.pages.execute import execute

    study = _load(options)
    _pick(study.embeddings, options.name, "embedding")
    parameters = _common(options) | {"embedding": options.name}
    page = study.embedding_folder(options.name) / "page.ipynb"
    execute(ROOT / "notebooks" / "train_embedding.ipynb", parameters, page)


def _table(options: argparse.Namespace) -> None:
    from dvelib.pages.execute import execute

    study = _load(options)
    table = _pick(study.tables, options.name, "table")
    notebook = ROOT / "notebooks" / f"{table.notebook}.ipynb"
    parameters = _common(options) | {"table": options.name}
    execute(notebook, parameters, study.table_folder(options.name) / "page.ipynb")


def _explorer_page(options: argparse.Namespace) -> None:
    from dvelib.pages.execute import execute

    study = _load(options)
    notebook = ROOT / "notebooks" / "explore.ipynb"
    execute(notebook, _common(options), study.outputs / "explore" / "page.ipynb")


def _site(options: argparse.Namespace) -> None:
    from dvelib.pages.workflow import build_pages

    print(f"the study is at {build_pages(_load(options))}")


def _publish(options: argparse.Namespace) -> None:
    from dvelib.pages.publish import publish, publish_weights

    study = _load(options)
    if options.weights:
        print("\n".join(f"comes along: {folder}" for folder in publish_weights(study)))
    else:
        print(f"published in {publish(study)}")


def _fetch(options: argparse.Namespace) -> None:
    from dvelib.data.mirrors import archive_of, fetch

    fetch(archive_of(options.dataset), _data_folder(options))


def _check(options: argparse.Namespace) -> None:
    from dvelib.data.mirrors import archive_of, check

    for line in check(archive_of(options.dataset), _data_folder(options), images=options.images):
        print(line, flush=True)


def _data_folder(options: argparse.Namespace) -> Path:
    if not options.data:
        raise StudyError("name the folder that holds the datasets, or is to hold them, with --data")
    return Path(options.data).expanduser().resolve()


def _common(options: argparse.Namespace) -> dict[str, str | None]:
    places = {"data_root": options.data, "outputs": options.outputs}
    absolute = {k: str(Path(v).expanduser().resolve()) if v else None for k, v in places.items()}
    return {"profile": options.profile} | absolute


def _pick(known: dict, name: str, what: str):
    if name not in known:
        raise StudyError(f"the profile has no {what} {name!r}: choose among {', '.join(known)}")
    return known[name]


def entry_point() -> None:
    sys.exit(main())


if __name__ == "__main__":
    entry_point()

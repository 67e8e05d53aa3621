# The whole study as rules: embeddings, then regressors, then tables, then the site.
#
#   dve study --profile quick          checks the parameter files, then runs this
#   snakemake --cores all --config profile=faces data=DIR --directory outputs/faces
#
# The folder of an embedding or regressor is named by its specification, its images and the version
# of the method, so no rule has to check whether the weights still fit.
import shlex
import sys
from pathlib import Path
from urllib.parse import unquote

from dvelib.common.errors import StudyError
from dvelib.study.plan import Study

PROFILE = config.get("profile", "quick")
DATA, OUTPUTS = (config.get(key) and unquote(str(config[key])) for key in ("data", "outputs"))
try:
    STUDY = Study.load(PROFILE, DATA, outputs=OUTPUTS)
except StudyError as error:
    sys.exit(f"dve: {error}")

DVE = f"{shlex.quote(sys.executable)} -m dvelib.cli"
PLACES = {"--profile": PROFILE, "--data": DATA, "--outputs": OUTPUTS}
OPTIONS = shlex.join(part for pair in PLACES.items() if pair[1] for part in pair)
# One training a GPU where there are GPUs; else as many side by side as the cores allow.
GPUS = int(config.get("gpus", 0))
NOTEBOOKS = Path(workflow.basedir) / "notebooks"


def weights_of(wildcards):
    rows = STUDY.rows[wildcards.table]
    embeddings = [f"embeddings/{name}" for row in rows for name in row.embeddings]
    regressors = [f"regressors/{name}" for row in rows for name in row.regressors]
    return [f"{folder}/weights.safetensors" for folder in embeddings + regressors]


rule site:
    input:
        expand("tables/{table}/page.ipynb", table=STUDY.tables),
        expand("embeddings/{name}/page.ipynb", name=STUDY.embeddings_with_pages),
        "explore/page.ipynb",
    output:
        "site/index.html",
    params:
        digest=STUDY.pages_digest(),
    shell:
        "{DVE} site {OPTIONS}"


rule embedding:
    input:
        # The embedding that a fine-tuned one starts from, and a shorter training to continue.
        lambda wildcards: [
            f"embeddings/{before[wildcards.name]}/weights.safetensors"
            for before in (STUDY.parents, STUDY.earlier)
            if wildcards.name in before
        ],
    output:
        # Kept on a rerun: a finished training is found finished, never repeated.
        update("embeddings/{name}/weights.safetensors"),
    threads: 1 if GPUS else STUDY.profile.threads
    resources:
        gpu=min(1, GPUS),
    shell:
        "{DVE} train study {wildcards.name} {OPTIONS}"


# One process learns all landmarks on an embedding: starting Python and PyTorch takes as long as a
# short training.
for EMBEDDING, NAMES in STUDY.regressors_by_embedding().items():

    rule:
        name:
            f"regressors_on_{EMBEDDING}"
        input:
            f"embeddings/{EMBEDDING}/weights.safetensors",
        output:
            update(expand("regressors/{name}/weights.safetensors", name=NAMES)),
        params:
            names=shlex.join(NAMES),
        threads: 1 if GPUS else STUDY.profile.threads
        resources:
            gpu=min(1, GPUS),
        shell:
            "{DVE} regress study {params.names} {OPTIONS}"


rule embedding_page:
    input:
        weights="embeddings/{name}/weights.safetensors",
        notebook=NOTEBOOKS / "train_embedding.ipynb",
    output:
        "embeddings/{name}/page.ipynb",
    params:
        digest=STUDY.embedding_page_digest(),
    shell:
        "{DVE} page embedding {wildcards.name} {OPTIONS}"


rule explorer_page:
    input:
        expand("embeddings/{name}/weights.safetensors", name=STUDY.embeddings),
        expand("regressors/{name}/weights.safetensors", name=STUDY.regressors),
        notebook=NOTEBOOKS / "explore.ipynb",
    output:
        "explore/page.ipynb",
    params:
        digest=STUDY.explorer_digest(),
    shell:
        "{DVE} page explorer {OPTIONS}"


rule table:
    input:
        weights_of,
        notebook=lambda wildcards: NOTEBOOKS / f"{STUDY.tables[wildcards.table].notebook}.ipynb",
    output:
        page="tables/{table}/page.ipynb",
        results="tables/{table}/results.json",
    params:
        digest=lambda wildcards: STUDY.table_digest(wildcards.table),
    shell:
        "{DVE} page table {wildcards.table} {OPTIONS}"


onerror:
    # What did run is shown, and what failed with its message.
    shell("{DVE} site {OPTIONS}")

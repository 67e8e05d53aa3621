# The whole study as rules: embeddings, then regressors, then tables, then the site.
#
#   dve study --profile quick          checks the parameter files, then runs this
#   snakemake --cores all --config profile=faces data=DIR --directory outputs/faces
#
# The folder of an embedding or regressor is named by its specification, its images and the version
# of the method, so no rule has to check whether the weights still fit.
#
# A job reads its inputs, the datasets and the parameter files, and writes its outputs; nothing
# else. It finds them beside its own outputs, so that it runs as well in the copy of a store
# (Kubernetes) as in the folder of the results. What a job needs says dvelib/study/needs.py. Digests
# cover the notebooks and the code behind them, so that a page is made anew when they change.
#
# `snakemake --lint` has three remarks that stay. Rules have no log file, because Snakemake's own and
# Slurm's hold what the commands print. They have no environment of their own, because all of them
# are one package, which is installed already. And how a command starts, and its options, are no
# parameters of its rule: results are not made anew because Python or the data lie elsewhere.
import shlex
import sys
from urllib.parse import unquote

from dvelib.common.errors import StudyError
from dvelib.study.needs import embedding_needs, page_needs, regressors_needs, table_needs
from dvelib.study.plan import Study

PROFILE = config.get("profile", "quick")
DATA, OUTPUTS, PARAMS = (
    config.get(key) and unquote(str(config[key])) for key in ("data", "outputs", "params")
)
try:
    STUDY = Study.load(PROFILE, DATA, outputs=OUTPUTS, params=PARAMS)
except StudyError as error:
    sys.exit(f"dve: {error}")

# How many GPUs train one embedding on a machine, and how many machines.
GPUS = int(config.get("gpus", 0)) if STUDY.profile.device != "cpu" else 0
MACHINES = int(config.get("machines", 1))

# Jobs read the same parameter files as this process, wherever they write.
shell.prefix(f"export DVE_PARAMS={shlex.quote(str(STUDY.own_params))}; ")
PYTHON = shlex.quote(sys.executable)
DVE = f"{PYTHON} -m dvelib.cli"
OPTIONS = f"--profile {PROFILE}" + (f" --data {shlex.quote(DATA)}" if DATA else "")
EMBEDDING = ["specification.json", "provenance.json", "history.csv", "weights.safetensors"]
REGRESSOR = [*EMBEDDING, "predictions.npy"]


def files_of(kind, names):
    """The files of embeddings or regressors, or of what a wildcard stands for, as {name}."""
    files = {"embeddings": EMBEDDING, "regressors": REGRESSOR}[kind]
    return [f"{kind}/{name}/{file}" for name in names for file in files]


def trainings_of(wildcards):
    """The files of all embeddings and regressors of a table."""
    rows = STUDY.rows[wildcards.table]
    embeddings = dict.fromkeys(name for row in rows for name in row.embeddings)
    regressors = dict.fromkeys(name for row in rows for name in row.regressors)
    return files_of("embeddings", embeddings) + files_of("regressors", regressors)


def resources_of(needs):
    """Memory, minutes and GPUs by Snakemake's names; ``needs``: a function of the wildcards."""
    resources = {
        "mem_mb": lambda wildcards, attempt: needs(wildcards).on_attempt(attempt).megabytes,
        "runtime": lambda wildcards, attempt: needs(wildcards).on_attempt(attempt).minutes,
    }
    # Kubernetes takes a number of no GPUs for a request.
    return resources | ({"gpu": lambda wildcards: needs(wildcards).gpus} if GPUS else {})


def needs_of_embedding(wildcards):
    return embedding_needs(STUDY, wildcards.name, GPUS, MACHINES)


def needs_of_table(wildcards):
    return table_needs(STUDY, wildcards.table, GPUS)


# One embedding on several GPUs: a process for each, started by torchrun. On several machines, Slurm
# starts a torchrun on each. They meet at the first machine, which runs the rule's command.
TORCHRUN = f"{PYTHON} -m torch.distributed.run --nproc-per-node {max(1, GPUS)}"
TRAIN = DVE
SEVERAL_MACHINES = {}
if MACHINES > 1:
    TRAIN = (
        f"srun --ntasks {MACHINES} --ntasks-per-node 1 {TORCHRUN} --nnodes {MACHINES}"
        " --rdzv-backend c10d --rdzv-id $SLURM_JOB_ID"
        " --rdzv-endpoint $(hostname):$((20000 + SLURM_JOB_ID % 20000)) -m dvelib.cli"
    )
    # With "mpi" the rule itself starts its processes. The GPUs are those of all machines.
    SEVERAL_MACHINES = {"mpi": "srun", "nodes": MACHINES, "tasks": MACHINES, "tasks_per_gpu": 0}
    if GPUS:
        SEVERAL_MACHINES["gpu"] = GPUS * MACHINES
elif GPUS > 1:
    TRAIN = f"{TORCHRUN} --standalone -m dvelib.cli"


rule site:
    input:
        expand("tables/{table}/page.ipynb", table=STUDY.tables),
        expand("tables/{table}/results.json", table=STUDY.tables),
        expand("embeddings/{name}/page.ipynb", name=STUDY.embeddings_with_pages),
        "explore/page.ipynb",
    output:
        "site/index.html",
    params:
        digest=STUDY.pages_digest(),
    localrule: True
    shell:
        "{DVE} site {OPTIONS} --outputs $(dirname {output})/../.."


rule embedding:
    input:
        # The embedding that a fine-tuned one starts from, and a shorter training to continue.
        lambda wildcards: files_of(
            "embeddings",
            [
                before[wildcards.name]
                for before in (STUDY.parents, STUDY.earlier)
                if wildcards.name in before
            ],
        ),
    output:
        # Kept on a rerun: a finished training is found finished, never repeated.
        update(files_of("embeddings", ["{name}"])[:-1]),
        weights=update("embeddings/{name}/weights.safetensors"),
    threads: lambda wildcards: needs_of_embedding(wildcards).threads
    resources:
        **(resources_of(needs_of_embedding) | SEVERAL_MACHINES),
    shell:
        "{TRAIN} train study {wildcards.name} {OPTIONS} --outputs $(dirname {output.weights})/../../.."


# One process learns all landmarks on an embedding: starting Python and PyTorch takes as long as a
# short training.
for NAME, REGRESSORS in STUDY.regressors_by_embedding().items():

    rule:
        name:
            f"regressors_on_{NAME}"
        input:
            files_of("embeddings", [NAME]),
        output:
            update(files_of("regressors", REGRESSORS)[:-1]),
            last=update(files_of("regressors", REGRESSORS)[-1]),
        params:
            names=shlex.join(REGRESSORS),
        threads: regressors_needs(STUDY, REGRESSORS, min(1, GPUS)).threads
        resources:
            **resources_of(lambda _, names=REGRESSORS: regressors_needs(STUDY, names, min(1, GPUS))),
        shell:
            "{DVE} regress study {params.names} {OPTIONS} --outputs $(dirname {output.last})/../../.."


rule embedding_page:
    input:
        files_of("embeddings", ["{name}"]),
    output:
        "embeddings/{name}/page.ipynb",
    params:
        digest=STUDY.embedding_page_digest(),
    threads: page_needs(STUDY).threads
    resources:
        **resources_of(lambda _: page_needs(STUDY)),
    shell:
        "{DVE} page embedding {wildcards.name} {OPTIONS} --outputs $(dirname {output})/../../.."


rule explorer_page:
    input:
        files_of("embeddings", STUDY.embeddings),
        files_of("regressors", STUDY.regressors),
    output:
        "explore/page.ipynb",
    params:
        digest=STUDY.explorer_digest(),
    threads: page_needs(STUDY).threads
    resources:
        **resources_of(lambda _: page_needs(STUDY)),
    shell:
        "{DVE} page explorer {OPTIONS} --outputs $(dirname {output})/../.."


rule table:
    input:
        trainings_of,
    output:
        page="tables/{table}/page.ipynb",
        results="tables/{table}/results.json",
    params:
        digest=lambda wildcards: STUDY.table_digest(wildcards.table),
    threads: lambda wildcards: needs_of_table(wildcards).threads
    resources:
        **resources_of(needs_of_table),
    shell:
        "{DVE} page table {wildcards.table} {OPTIONS} --outputs $(dirname {output.page})/../../.."


onerror:
    # What did run is shown, and what failed with its message.
    shell("{DVE} site {OPTIONS} --outputs ..")

"""What the study's parts cost beside the straightforward forms of the same formulas.

Every comparison is a ratio within one run on one machine; `dvelib.benchmarks.plain` holds the
straightforward forms, `comparisons` what is compared, `measure` how, `endings` whether training
by either loss ends alike, `report` what the notebook shows.
"""

from dvelib.benchmarks.comparisons import COMPARISONS, run
from dvelib.benchmarks.endings import MEASURES
from dvelib.benchmarks.record import Benchmark
from dvelib.benchmarks.scaling import growth

__all__ = ["COMPARISONS", "MEASURES", "Benchmark", "growth", "run"]

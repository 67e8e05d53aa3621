"""Names of the landmark benchmarks, as the published tables print them."""

from __future__ import annotations

__all__ = ["BENCHMARK_TITLES"]

# By the name that tables and profiles use. <sub> is the one piece of markup that a title may hold.
BENCHMARK_TITLES = {
    "mafl": "MAFL",
    "300w": "300-W",
    "aflw": "AFLW<sub>R</sub>",
    "aflw-mtfl": "AFLW<sub>M</sub>",
}

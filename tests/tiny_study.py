"""A study of one table with one row, from parameter files of its own: three jobs and a site."""

from pathlib import Path

import yaml

from dvelib.common.files import ROOT

PROFILE = "tiny"
TABLE = "landmark_regression_aflw_mtfl"
PAGE = f"tables/{TABLE}/page.ipynb"
RESULTS = f"tables/{TABLE}/results.json"


def write_tiny_study(params: Path, **changes: object) -> None:
    """Write the profile ``tiny``, which is a part of ``smoke``, and its table.

    ``changes``: values of the profile's ``embedding``.
    """
    profile = yaml.safe_load((ROOT / "params" / "profiles" / "smoke.yaml").read_text())
    table = yaml.safe_load((ROOT / "params" / f"{TABLE}.yaml").read_text())
    small = {"architecture": "smallnet", "dimension": 64, "exchange": True}
    table["rows"] = [row for row in table["rows"] if small.items() <= row.items()][:1]
    profile |= {"title": "Tiny study", "tables": [TABLE]}
    profile["embedding"] |= changes
    (params / "profiles").mkdir(parents=True)
    (params / f"{TABLE}.yaml").write_text(yaml.safe_dump(table))
    (params / "profiles" / f"{PROFILE}.yaml").write_text(yaml.safe_dump(profile))

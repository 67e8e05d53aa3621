"""The tables of the study, in two parts: statistics over arrays, and views for a notebook.

- `results`, `provenance`: the typed record that a table leaves in ``results.json``.
- `statistics`, `matching_statistics`, `landmark_statistics`, `effects`: numbers from errors.
- `base`, `matching_table`, `landmark_table`: a table with its trained networks and its faces.
- `matching_views`, `landmark_views`: frames and pictures for a notebook.
- `recording`: writes the record.

Nothing is imported here, so that the site can read records without waiting for torch.
"""

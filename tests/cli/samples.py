"""A small annotated sample in a folder of one's own."""

from __future__ import annotations

import csv
import shutil

from attnxai.annotations.sample import sample_folder

QUICK = ["--n-permutations", "199", "--n-bootstrap", "200"]


def made_sample(tmp_path):
    source = sample_folder()
    names = [f"simulated_fr{c}_{i:02d}" for c in (1, 2) for i in range(1, 6)]
    (tmp_path / "images").mkdir()
    for name in names:
        shutil.copy(source / "images" / f"{name}.fits.gz", tmp_path / "images")
    with open(source / "expert.csv", encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["source"] in names]
    write_table(tmp_path / "mine.csv", rows)
    return tmp_path


def read_table(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_table(path, rows):
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)

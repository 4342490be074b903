"""Matrices larger than memory, block by block."""

import sys
from pathlib import Path

import numpy as np
import pytest

from flexibert.space.edit_distance.blocks import blocks, let_go


def resident_file_pages() -> int:
    """Bytes of mapped files in this process's memory."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return 1024 * int(status.split("RssFile:")[1].split()[0])


@pytest.mark.parametrize("rows", [0, 1, 512, 513, 1500])
def test_blocks_cover_every_row_once(rows):
    matrix = np.arange(rows)
    assert [k for block in blocks(matrix) for k in matrix[block]] == list(range(rows))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_pass_over_a_mapped_file_leaves_none_of_it_in_memory(tmp_path):
    written = np.lib.format.open_memmap(tmp_path / "matrix.npy", "w+", np.float32, (4096, 4096))
    written[:] = np.arange(4096, dtype=np.float32)
    let_go(written)
    mapped = np.load(tmp_path / "matrix.npy", mmap_mode="r")
    before = resident_file_pages()
    highest = 0
    for rows in blocks(mapped):
        assert (mapped[rows] == np.arange(4096)).all()  # what was written before the pages were let go is there
        highest = max(highest, resident_file_pages() - before)
    assert highest < mapped.nbytes / 4
    assert resident_file_pages() - before < mapped.nbytes / 16


def test_an_array_in_memory_stays():
    matrix = np.arange(10)
    let_go(matrix)
    assert matrix.sum() == 45

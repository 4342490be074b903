"""From one level of the hierarchy to the next: the best models crossed stack by stack (paper, section 3.3.2)."""

from collections.abc import Sequence
from itertools import product

from flexibert.space.architecture import Architecture
from flexibert.space.design_space import DesignSpace
from flexibert.space.levels import Level

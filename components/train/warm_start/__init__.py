"""Go on from an earlier model whose structure may be another.

`arrays` holds the arithmetic on single arrays, `units` reads networks, `alignment` says which layer
was which, `rules` moves the weights of one layer, `adapting` those of a network.
"""

from components.train.warm_start.adapting import adapt
from components.train.warm_start.rules import ADAPTED, COPIED, NEW, Transfer

__all__ = ["ADAPTED", "COPIED", "NEW", "Transfer", "adapt"]

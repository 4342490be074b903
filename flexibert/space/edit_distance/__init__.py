"""Graph edit distances: of one pair, of one model to many, of all pairs of a library."""

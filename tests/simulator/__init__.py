"""A year of a made-up provider, twice: as the product decides it, and recomputed slowly from what happened."""

"""Bills of other systems."""

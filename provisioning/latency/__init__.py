"""How long it takes from a fact to its proof."""

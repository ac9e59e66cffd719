"""From observed to desired: the smallest plan, and its words."""

"""Taking over what a router already has."""

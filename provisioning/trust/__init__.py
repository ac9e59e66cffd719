"""Trust unblocks: rules, granting, and subscribers themselves."""

"""The monthly billing run."""

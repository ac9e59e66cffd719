"""Custom speeds: proposed, confirmed, over by themselves."""

"""The guarded run that restricts who is late."""

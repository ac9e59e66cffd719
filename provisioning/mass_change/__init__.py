"""Moving many subscriptions to another plan."""

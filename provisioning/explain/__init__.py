"""Why a subscription's service is what it is."""

"""The rows that the facts demand of a router."""

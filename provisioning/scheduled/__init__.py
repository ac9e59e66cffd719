"""What is scheduled to happen to a subscription."""

"""Live sessions held at what the facts demand."""

"""The company's days: zone, weekdays, holidays."""

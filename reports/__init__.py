"""Numbers to documents: functions that return text."""

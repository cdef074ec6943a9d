"""The doors: staff and partners come in here, and leave with a receipt that is a committed row."""

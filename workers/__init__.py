"""Processes: the servers Awda stands on, and the loops that do its work."""

"""The servers of an embedded installation: PostgreSQL, Temporal, and the processes that Awda supervises.

Production does not use this package. Start with ``installation.py``.
"""

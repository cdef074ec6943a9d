"""Temporal workflows: the order of work, waiting and deadlines.

Rules belong to ``domain``, reading and writing to ``activities``. Start with ``case.py``.
"""

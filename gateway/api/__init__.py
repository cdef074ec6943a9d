"""The HTTP API: one file of routes for each resource.

Routes translate between HTTP and the services; they decide nothing. Start with ``messages.py``.
"""

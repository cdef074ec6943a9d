"""The HTTP API: one module of routes per resource.

Routes translate between HTTP and the application services, and decide nothing themselves. Start with ``messages.py``.
"""

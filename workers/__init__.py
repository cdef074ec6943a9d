"""The processes: case worker, relay, projector, gateway, and their settings and health checks.

What they do is in ``workflows``, ``activities``, ``store`` and ``gateway``. Start with ``main.py``.
"""

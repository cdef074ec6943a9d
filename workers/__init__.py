"""The processes of an installation: case worker, relay, projector and gateway, and what they need to start.

A complete installation on one machine is in ``embedded``. Start with ``main.py``, which starts one process.
"""

"""The processes of an installation: case worker, relay, projector and gateway, and what they need to start.

``embedded`` runs a complete installation on one machine. Start with ``main.py``, which starts one process.
"""

"""The processes of an installation: case worker, relay, projector and gateway, and what they need to start.

``main.py`` starts one process, ``embedded/`` runs a complete installation on one machine.
"""

"""The rules of the seven stages, one file for each, and their common shape (``stage.py``).

Events and commands are in packages of their own. Start with ``screening.py``.
"""

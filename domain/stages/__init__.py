"""The rules of the seven stages, one file each, and their common shape (``stage.py``).

Events and commands are in packages of their own; rules of no single stage are in ``casework``. Start with
``screening.py``.
"""

"""The commands of ``awda partner``.

What they share with other commands is in ``cli``. Start with ``group.py``.
"""

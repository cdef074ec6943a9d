"""The domain: events, commands and rules. Pure functions, without clock, input or output.

No database and no Temporal here. Start with ``procedure.py``, then ``decider.py``.
"""

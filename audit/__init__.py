"""Reading the past: replay, history, explanations, disclosures, and whether all records agree.

Nothing here records or decides, except ``rehydrate.py``, which starts missing workflows. Start with ``replay.py``.
"""

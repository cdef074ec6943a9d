"""The Temporal workflows: order of the stages, waiting and deadlines.

Rules and data do not belong here: a workflow holds no personal data, and acts through activities. Start with
``case.py``.
"""

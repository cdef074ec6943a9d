"""How we connect to Temporal."""

from __future__ import annotations

from typing import Any

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter


async def connect(address: str, namespace: str = "default", **options: Any) -> Client:
    """A client whose payloads are our pydantic models, and which histories know by our name, not by a machine's."""
    options = {"identity": "awda"} | options
    return await Client.connect(address, namespace=namespace, data_converter=pydantic_data_converter, **options)

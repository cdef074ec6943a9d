"""The connection to Temporal."""

from __future__ import annotations

from typing import Any

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter


async def connect(address: str, namespace: str = "default", **options: Any) -> Client:
    """Connects a client that converts payloads with pydantic.

    Histories name the client ``awda``: the default identity would put the name of the machine into them.
    """
    options = {"identity": "awda"} | options
    return await Client.connect(address, namespace=namespace, data_converter=pydantic_data_converter, **options)

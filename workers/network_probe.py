"""Checks whether a port accepts connections and whether Temporal serves a namespace."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError


async def listens(host: str, port: int) -> bool:
    """Returns whether the port accepts a TCP connection within two seconds."""
    try:
        async with asyncio.timeout(2):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True


async def serves(address: str, namespace: str) -> bool:
    """Returns whether the Temporal server at ``address`` describes the namespace within five seconds."""
    request = DescribeNamespaceRequest(namespace=namespace)
    try:
        async with asyncio.timeout(5):
            client = await Client.connect(address, namespace=namespace)
            await client.workflow_service.describe_namespace(request)
    except (RPCError, RuntimeError, TimeoutError):
        return False
    return True

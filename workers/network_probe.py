"""Probes whether something listens on a port or serves HTTP."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError


async def listens(host: str, port: int) -> bool:
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
    asked = DescribeNamespaceRequest(namespace=namespace)
    try:
        async with asyncio.timeout(5):
            client = await Client.connect(address, namespace=namespace)
            await client.workflow_service.describe_namespace(asked)
    except (RPCError, RuntimeError, TimeoutError):
        return False
    return True

"""Public address of an installation, and IOM's telephone line, as they are shown to partners and returnees."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

ADDRESS: Final = "AWDA_PUBLIC_URL"

LINE: Final = "AWDA_LINE"

_ADDRESS: Final = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]{1,200}(/[A-Za-z0-9._~/-]{0,200})?")

_LINE: Final = re.compile(r"\+?[0-9][0-9 ]{2,19}")


class InvalidPublicAddressError(ValueError):
    """A setting of the public address or telephone line is invalid."""


@dataclass(frozen=True, slots=True)
class PublicAddress:
    """``url`` has no slash at its end; ``line`` is the telephone number as printed. Both are empty if not set."""

    url: str = ""
    line: str = ""

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> PublicAddress:
        """Reads both from the environment. Raises ``InvalidPublicAddressError``."""
        url, line = environ.get(ADDRESS, "").strip(), environ.get(LINE, "").strip()
        if url and not _ADDRESS.fullmatch(url):
            raise InvalidPublicAddressError(
                f"{ADDRESS} must be an address, for example https://vhr.example.org (it is {url[:100]})"
            )
        if line and not _LINE.fullmatch(line):
            raise InvalidPublicAddressError(
                f"{LINE} must be a telephone number, for example +218 21 000 0000 (it is {line[:40]})"
            )
        return cls(url.rstrip("/"), line)

    @property
    def dialled(self) -> str:
        """The number without spaces, for a ``tel:`` link."""
        return self.line.replace(" ", "")

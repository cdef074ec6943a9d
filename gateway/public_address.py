"""What an installation shows outside: the address under which its pages are reached, and IOM's telephone line."""

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
    """A setting of what is shown outside cannot be used."""


@dataclass(frozen=True, slots=True)
class PublicAddress:
    """``url`` without a slash at its end, empty if none is set; ``line`` as it is printed, empty likewise."""

    url: str = ""
    line: str = ""

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> PublicAddress:
        """From the environment. Raises ``InvalidPublicAddressError``."""
        url, line = environ.get(ADDRESS, "").strip(), environ.get(LINE, "").strip()
        if url and not _ADDRESS.fullmatch(url):
            raise InvalidPublicAddressError(f"{ADDRESS} must be an address such as https://vhr.example.org")
        if line and not _LINE.fullmatch(line):
            raise InvalidPublicAddressError(f"{LINE} must be a telephone number such as +218 21 000 0000")
        return cls(url.rstrip("/"), line)

    @property
    def dialled(self) -> str:
        """The line as a telephone takes it."""
        return self.line.replace(" ", "")

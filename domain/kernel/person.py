"""The particulars of the person whom a case is about. They are always sealed (rule DATA.PERSON_SEALED)."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from domain.kernel.vocabulary import DobPrecision, Sex

Country = Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="ISO 3166-1 alpha-3")]

ADULT_AT = 18


class Person(BaseModel):
    """A person's particulars. ``dob_precision`` says how precisely the date of birth is known."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    family_name: str = Field(min_length=1, max_length=120)
    given_names: str = Field(min_length=1, max_length=120)
    name_native_script: str | None = Field(default=None, max_length=200)
    sex: Sex = Sex.UNKNOWN
    date_of_birth: date | None = None
    dob_precision: DobPrecision = DobPrecision.DAY
    nationality: Country
    phone: str | None = Field(default=None, pattern=r"^\+[1-9][0-9]{6,14}$", description="E.164")
    languages: tuple[str, ...] = ()

    @property
    def full_name(self) -> str:
        return f"{self.given_names} {self.family_name}"

    def age(self, on: date) -> int:
        """Returns the age in full years on a day, or ``None`` if the date of birth is unknown."""
        born = self.date_of_birth or on
        return on.year - born.year - (on < _birthday(born, on.year - born.year))

    def is_child(self, on: date) -> bool:
        """Returns whether the person is under 18 on a day.

        An unknown date of birth does not make the person a child; a doubt about age is decided by an officer.
        """
        return self.date_of_birth is not None and on < _birthday(self.date_of_birth, ADULT_AT)


class Interview(BaseModel):
    """Place and time of a consular interview: the only place about which an embassy is informed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    place: str = Field(min_length=1, max_length=200)
    at: AwareDatetime


def _birthday(born: date, age: int) -> date:
    try:
        return born.replace(year=born.year + age)
    except ValueError:  # 29 February
        return date(born.year + age, 3, 1)

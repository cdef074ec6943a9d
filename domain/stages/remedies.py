"""The commands of staff that satisfy a requirement, by the code of the requirement (``stage.Requirement``).

A requirement that only a partner's answer satisfies has no entry: its referral shows who must answer, and when.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

COMMANDS_FOR: Final[Mapping[str, tuple[str, ...]]] = {
    "STAFF.PRIVATE_INTERVIEW": ("RecordNonRefoulementScreen",),
    "STAFF.VULNERABILITY": ("RecordVulnerabilityAssessment",),
    "STAFF.VOLUNTARINESS": ("AssessVoluntariness",),
    "PERSON.DECLARATION": ("SignVoluntaryReturnDeclaration",),
    "PERSON.SHARE_EMBASSY": ("RecordConsent",),
    "STAFF.ELIGIBILITY": ("DetermineEligibility",),
    "STAFF.COMPLETE_SCREENING": ("CompleteScreening",),
    "STAFF.PROTECTION_CLEARANCE": ("GrantClearance",),
    "STAFF.SAFETY_OF_RETURN": ("AssessSafetyOfReturn",),
    "STAFF.FUNDING": ("AllocateFunding",),
    "STAFF.NOMINATION": ("NominatePassenger",),
    "MOVEMENT.FREEZE": ("FreezeManifest",),
    "MOVEMENT.CHECK_IN": ("CheckInPassenger",),
    "MOVEMENT.BOARDING": ("BoardPassenger",),
    "MOVEMENT.DEPARTURE": ("RecordFlightDeparture",),
    "MOVEMENT.ARRIVAL": ("RecordFlightArrival",),
    "RECEPTION.ARRIVAL": ("ConfirmArrival",),
    "RECEPTION.MEET": ("RecordReception",),
    "RECEPTION.COMPLETE": ("CompleteReception",),
    "STAFF.ENROLMENT": ("EnrolReintegration",),
    "STAFF.NEEDS": ("AssessReintegrationNeeds",),
    "STAFF.PLAN": ("DraftPlan",),
    "STAFF.PLAN_APPROVAL": ("ApprovePlan",),
    "PARTNER.DELIVERY_AND_MONITORING": ("RecordDelivery", "RecordMonitoring", "RecordRss"),
    "STAFF.COMPLETE_REINTEGRATION": ("CompleteReintegration",),
}

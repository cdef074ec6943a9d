"""Which message of staff gives a case what it waits for, by the code of what it waits for (``stage.Awaited``).

What only a partner's answer settles has none here: its referral says who owes it, and until when.
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

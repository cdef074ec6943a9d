"""Texts of sheets in English, French and Arabic: what is printed, and what is accepted in a returned sheet.

A spelling that was printed once stays accepted, because sheets that were printed before are still returned.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from domain.kernel.names import Translation
from domain.kernel.vocabulary import ReferralKind
from domain.referral.sheets import SheetKind
from gateway.tabular.normalization import folded, known_by, spelled

Language = Literal["en", "fr", "ar"]

LANGUAGES: Final[tuple[Language, ...]] = ("en", "fr", "ar")

RIGHT_TO_LEFT: Final = frozenset({"ar"})


HEADINGS: Final[Mapping[str, Translation]] = {
    "row code": Translation("Row code", "Code de ligne", "رمز السطر", "code|row"),
    "asked for": Translation("Request", "Demande", "المطلوب"),
    "family_name": Translation("Family name", "Nom", "اللقب", "surname|nom de famille"),
    "given_names": Translation("Given names", "Prénoms", "الاسم", "given name|first name|prénom"),
    "name_native_script": Translation(
        "Name in native script", "Nom en écriture d'origine", "الاسم بالكتابة الأصلية", "name in own script"
    ),
    "sex": Translation("Sex", "Sexe", "النوع"),
    "date_of_birth": Translation("Date of birth", "Date de naissance", "تاريخ الميلاد"),
    "nationality": Translation("Nationality", "Nationalité", "الجنسية"),
    "phone": Translation("Phone", "Téléphone", "الهاتف"),
    "languages": Translation("Languages", "Langues", "اللغات"),
    "document": Translation("Travel document", "Document de voyage", "وثيقة السفر"),
    "flight": Translation("Flight", "Vol", "الرحلة"),
    "result": Translation("Result", "Résultat", "النتيجة", "outcome"),
    "date": Translation("Date", "Date", "التاريخ"),
    "document kind": Translation("Kind of document", "Type de document", "نوع الوثيقة"),
    "document number": Translation("Document number", "Numéro du document", "رقم الوثيقة"),
    "issued on": Translation("Issued on", "Délivré le", "تاريخ الإصدار"),
    "expires on": Translation("Expires on", "Expire le", "تاريخ الانتهاء"),
    "permit number": Translation("Permit number", "Numéro de l'autorisation", "رقم التصريح"),
    "list number": Translation("List number", "Numéro de liste", "رقم القائمة"),
    "airport": Translation("Airport", "Aéroport", "المطار"),
    "reason class": Translation("Reason for refusal", "Motif du refus", "سبب الرفض", "reason of refusal"),
    "valid until": Translation("Valid until", "Valable jusqu'au", "صالح حتى"),
    "check again on": Translation(
        "Re-examination on", "À réexaminer le", "موعد إعادة الفحص", "check again on|à revoir le"
    ),
    "cash in EUR": Translation("Cash (EUR)", "Espèces (EUR)", "مبلغ نقدي (يورو)"),
    "nights": Translation("Nights of accommodation", "Nuits d'hébergement", "ليالي الإيواء", "nights of shelter"),
    "transport": Translation("Onward transport", "Transport", "النقل"),
    "facility": Translation("Health facility", "Structure de santé", "المرفق الصحي"),
    "identity checked": Translation("Caregiver's identity checked", "Identité vérifiée", "تم التحقق من الهوية"),
    "note": Translation("Note", "Remarque", "ملاحظة", "remarks|notes|remarques|ملاحظات"),
    "withdrawal": Translation("Withdraws from return", "Renonce au retour", "يتراجع عن العودة"),
    "concern": Translation(
        "Concern (IOM will call)",
        "Inquiétude (l'OIM appellera)",
        "قلق (ستتصل المنظمة)",
        "concern, iom should call|inquiétude, appel de l'oim|قلق، يرجى اتصال المنظمة",
    ),
}

COLUMNS: Final = known_by(HEADINGS)

RESULTS: Final[Mapping[str, Translation]] = {
    "ACCEPTED": Translation(
        "Accepted, not yet completed",
        "Accepté, pas encore réalisé",
        "مقبول ولم ينجز بعد",
        "accepted, not done yet|accepté, pas encore fait",
    ),
    "REJECTED": Translation("Not possible", "Impossible", "لا يمكن ذلك", "cannot do it"),
    "NATIONALITY_CONFIRMED": Translation("Nationality confirmed", "Nationalité confirmée", "تم تأكيد الجنسية"),
    "NOT_CONFIRMED": Translation(
        "Nationality not confirmed", "Nationalité non confirmée", "لم يتم تأكيد الجنسية", "not confirmed"
    ),
    "VERIFICATION_IN_CAPITAL": Translation(
        "Verification in the capital", "Vérification dans la capitale", "قيد التحقق في العاصمة", "sent to the capital"
    ),
    "INTERVIEW_NO_SHOW": Translation(
        "No-show at the interview", "Absent à l'entretien", "لم يحضر المقابلة", "did not come to the interview"
    ),
    "REFUSED_TO_COOPERATE_PERSON": Translation(
        "Declined to cooperate", "N'a pas coopéré", "لم يتعاون", "did not cooperate"
    ),
    "EMBASSY_CLOSED": Translation("Embassy closed", "Ambassade fermée", "السفارة مغلقة"),
    "ISSUED": Translation("Issued", "Délivré", "تم الإصدار"),
    "REFUSED": Translation("Refused", "Refusé", "مرفوض"),
    "REQUIRES_ITINERARY": Translation(
        "Itinerary required", "Itinéraire requis", "مطلوب تفاصيل الرحلة أولا", "flight details needed first"
    ),
    "FEE_REQUIRED": Translation("Fee required", "Frais à payer", "رسوم مطلوبة", "fee to be paid"),
    "NO_SIGNIFICANT_CONDITION": Translation(
        "No significant condition", "Aucune affection notable", "لا توجد حالة مهمة"
    ),
    "SIGNIFICANT_CONDITION_STABLE": Translation(
        "Significant condition, stable", "Affection notable, stable", "حالة مهمة ومستقرة", "condition, stable"
    ),
    "TREATMENT_REQUIRED": Translation("Treatment required", "Traitement nécessaire", "يحتاج إلى علاج"),
    "UNFIT_TEMPORARY": Translation("Temporarily unfit", "Inapte temporairement", "غير لائق مؤقتا", "unfit for now"),
    "UNFIT_LONG_TERM": Translation(
        "Unfit in the long term", "Inapte à long terme", "غير لائق لمدة طويلة", "unfit for long"
    ),
    "DECLINED_BY_PERSON": Translation("Declined by the person", "Refus de la personne", "رفض من الشخص"),
    "FIT": Translation("Fit to travel", "Apte à voyager", "لائق للسفر"),
    "FIT_WITH_CONDITIONS": Translation("Fit with conditions", "Apte sous conditions", "لائق بشروط"),
    "UNFIT": Translation("Unfit to travel", "Inapte à voyager", "غير لائق للسفر"),
    "GRANTED": Translation("Granted", "Accordée", "تمت الموافقة"),
    "MORE_INFO": Translation("More information needed", "Informations requises", "مطلوب معلومات إضافية"),
    "CONFIRMED": Translation("Reception confirmed", "Accueil confirmé", "تم تأكيد الاستقبال"),
    "CONFIRMED_WITH_LIMITS": Translation("Confirmed with limits", "Confirmé avec réserves", "تم التأكيد مع تحفظات"),
    "CANNOT_RECEIVE": Translation(
        "Reception not possible", "Accueil impossible", "لا يمكن الاستقبال", "cannot receive"
    ),
    "RECEIVED": Translation("Received", "Accueilli", "تم الاستقبال"),
    "NOT_ARRIVED": Translation("Did not arrive", "Non arrivé", "لم يصل"),
    "REFUSED_ASSISTANCE": Translation("Declined assistance", "A refusé l'assistance", "رفض المساعدة"),
    "HANDED_OVER": Translation("Handed over", "Remis", "تم التسليم"),
    "ADMITTED": Translation("Admitted to hospital", "Hospitalisé", "أدخل المستشفى"),
    "NO_SHOW": Translation("No-show", "Absent", "لم يحضر", "did not come"),
    "CAREGIVER_ABSENT": Translation("Caregiver absent", "Responsable absent", "مقدم الرعاية غائب"),
}

REQUESTS: Final[Mapping[str, Translation]] = {
    ReferralKind.CONSULAR_IDENTITY: Translation("Nationality", "Nationalité", "الجنسية"),
    ReferralKind.TRAVEL_DOCUMENT: Translation("Travel document", "Document de voyage", "وثيقة السفر"),
    ReferralKind.MEDICAL_ASSESSMENT: Translation("Medical examination", "Examen médical", "فحص طبي"),
    ReferralKind.FIT_TO_TRAVEL: Translation("Fitness to travel", "Aptitude au voyage", "اللياقة للسفر"),
    ReferralKind.EXIT_PERMIT: Translation("Exit permit", "Autorisation de sortie", "تصريح خروج"),
    ReferralKind.RECEPTION: Translation("Reception", "Accueil", "استقبال"),
    ReferralKind.MEDICAL_HANDOVER: Translation("Medical handover", "Relais médical", "تسليم طبي"),
    ReferralKind.CHILD_HANDOVER: Translation("Handover of a child", "Remise d'un enfant", "تسليم طفل"),
}

REFUSALS: Final[Mapping[str, Translation]] = {
    "TRAVEL_BAN": Translation("Travel ban", "Interdiction de voyager", "منع من السفر"),
    "PENDING_CASE": Translation("Case pending", "Affaire en cours", "قضية قيد النظر"),
    "UNPAID_FINE": Translation("Unpaid fine", "Amende impayée", "غرامة غير مدفوعة", "fine not paid"),
    "DATA_MISMATCH": Translation(
        "Data do not match", "Données discordantes", "عدم تطابق البيانات", "data do not agree"
    ),
    "SECURITY": Translation("Security", "Sécurité", "أسباب أمنية"),
}

YES_OR_NO: Final[Mapping[str, Translation]] = {
    "yes": Translation("Yes", "Oui", "نعم"),
    "no": Translation("No", "Non", "لا"),
}

AIRPORTS: Final = spelled({
    "MJI": "mitiga|mitiga airport|معيتيقة|مطار معيتيقة", "MRA": "misrata|misurata|مصراتة|مطار مصراتة",
    "BEN": "benina|benghazi|بنينا|بنغازي", "SEB": "sebha|sabha|سبها", "TIP": "tripoli|tripoli international|طرابلس",
})  # fmt: skip

_UNSAID: Final = (
    *("", "-", "--", "—", "/", "no", "n", "non", "0", "false", "faux", "none", "n/a", "aucun", "aucune", "rien"),
    *("nothing", "لا", "لا شيء", "لا يوجد", "كلا"),
)

UNSAID: Final = frozenset(map(folded, _UNSAID))
"""What means no statement in the column of a person's own statement. Any other text there is a statement."""

SEXES: Final[Mapping[str, Translation]] = {
    "FEMALE": Translation("F", "F", "أنثى"),
    "MALE": Translation("M", "M", "ذكر"),
    "UNKNOWN": Translation("", "", ""),
    "NOT_APPLICABLE": Translation("", "", ""),
}

TITLES: Final[Mapping[SheetKind, Translation]] = {
    SheetKind.EMBASSY_SESSION: Translation("Embassy session", "Séance consulaire", "جلسة السفارة"),
    SheetKind.CLINIC_AFTERNOON: Translation("Clinic afternoon", "Consultations à la clinique", "جلسة العيادة"),
    SheetKind.EXIT_LIST: Translation("Exit list", "Liste de sortie", "قائمة الخروج"),
    SheetKind.RECEPTION_DESK: Translation("Reception desk", "Bureau d'accueil", "مكتب الاستقبال"),
}

SAYINGS: Final[Mapping[str, Translation]] = {
    "confidential": Translation(
        "Confidential. For this partner only. Please return this sheet to IOM.",
        "Confidentiel. Réservé à ce partenaire. Veuillez restituer cette feuille à l'OIM.",
        "سري. مخصص لهذا الشريك فقط. يُرجى إعادة هذه الورقة إلى المنظمة الدولية للهجرة.",
    ),
    "instructions": Translation(
        "Write one of the results listed below. Leave the row empty if there is no result. Do not change the row code.",
        "Inscrivez l'un des résultats indiqués ci-dessous. Laissez la ligne vide s'il n'y a pas de résultat. "
        "Ne modifiez pas le code de ligne.",
        "اكتبوا إحدى النتائج المذكورة أدناه. اتركوا السطر فارغا إن لم تكن هناك نتيجة. لا تغيروا رمز السطر.",
    ),
    "statement": Translation(
        "If a person no longer wants to return, or has a concern, mark it in the last two columns. "
        "No reason is required. IOM will call.",
        "Si une personne ne souhaite plus retourner, ou exprime une inquiétude, indiquez-le dans les deux dernières "
        "colonnes. Aucun motif n'est exigé. L'OIM appellera.",
        "إذا لم يعد الشخص يرغب في العودة أو كان لديه قلق، فضعوا علامة في العمودين الأخيرين. "
        "لا يلزم ذكر السبب. ستتصل المنظمة.",
    ),
    "results": Translation("Results", "Résultats", "النتائج"),
    "sheet": Translation("Sheet", "Feuille", "الورقة"),
    "issued on": Translation("Issued on", "Remise le", "تاريخ التسليم"),
    "rows": Translation("Rows", "Lignes", "عدد الأسطر"),
    "filled in by": Translation(
        "Completed by (name, signature, stamp)",
        "Rempli par (nom, signature, cachet)",
        "عبأها (الاسم والتوقيع والختم)",
    ),
    "recorded by": Translation("Recorded at IOM by", "Saisi à l'OIM par", "سجلها في المنظمة"),
    "on": Translation("Date", "Date", "التاريخ"),
}
"""The other texts of a sheet."""

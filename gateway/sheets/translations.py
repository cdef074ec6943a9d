"""The words of sheets in English, French and Arabic: what is printed, and how it is known again when it comes back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal, NamedTuple

from domain.kernel.vocabulary import ReferralKind, TravelDocumentKind
from domain.referral.sheets import SheetKind
from gateway.tabular.normalization import folded, spelled

Language = Literal["en", "fr", "ar"]

LANGUAGES: Final[tuple[Language, ...]] = ("en", "fr", "ar")

RIGHT_TO_LEFT: Final = frozenset({"ar"})


class Translation(NamedTuple):
    """One thing in three languages; ``also`` are further spellings by which it is known, separated by bars."""

    en: str
    fr: str
    ar: str
    also: str = ""

    def in_(self, language: Language) -> str:
        return {"en": self.en, "fr": self.fr, "ar": self.ar}[language]

    @property
    def spellings(self) -> str:
        return "|".join(filter(None, self))


def known_by(words: Mapping[str, Translation], only: Iterable[str] | None = None) -> Mapping[str, str]:
    """Every spelling and what it stands for; of all words, or only of some."""
    wanted = words.keys() if only is None else only
    return spelled({name: words[name].spellings for name in wanted})


HEADINGS: Final[Mapping[str, Translation]] = {
    "row code": Translation("Row code", "Code de ligne", "رمز السطر", "code|row"),
    "asked for": Translation("Asked for", "Demande", "المطلوب"),
    "family_name": Translation("Family name", "Nom", "اللقب", "surname|nom de famille"),
    "given_names": Translation("Given names", "Prénoms", "الاسم", "given name|first name|prénom"),
    "name_native_script": Translation("Name in own script", "Nom en écriture d'origine", "الاسم بالكتابة الأصلية"),
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
    "reason class": Translation("Reason of refusal", "Motif du refus", "سبب الرفض"),
    "valid until": Translation("Valid until", "Valable jusqu'au", "صالح حتى"),
    "check again on": Translation("Check again on", "À revoir le", "موعد إعادة الفحص"),
    "cash in EUR": Translation("Cash (EUR)", "Espèces (EUR)", "مبلغ نقدي (يورو)"),
    "nights": Translation("Nights of shelter", "Nuits d'hébergement", "ليالي الإيواء"),
    "transport": Translation("Onward transport", "Transport", "النقل"),
    "facility": Translation("Health facility", "Structure de santé", "المرفق الصحي"),
    "identity checked": Translation("Caregiver's identity checked", "Identité vérifiée", "تم التحقق من الهوية"),
    "note": Translation("Note", "Remarque", "ملاحظة", "remarks|notes|remarques|ملاحظات"),
    "withdrawal": Translation("Withdraws from return", "Renonce au retour", "يتراجع عن العودة"),
    "concern": Translation("Concern, IOM should call", "Inquiétude, appel de l'OIM", "قلق، يرجى اتصال المنظمة"),
}

COLUMNS: Final = known_by(HEADINGS)

RESULTS: Final[Mapping[str, Translation]] = {
    "ACCEPTED": Translation("Accepted, not done yet", "Accepté, pas encore fait", "مقبول ولم ينجز بعد"),
    "REJECTED": Translation("Cannot do it", "Impossible", "لا يمكن ذلك"),
    "NATIONALITY_CONFIRMED": Translation("Nationality confirmed", "Nationalité confirmée", "تم تأكيد الجنسية"),
    "NOT_CONFIRMED": Translation("Not confirmed", "Nationalité non confirmée", "لم يتم تأكيد الجنسية"),
    "VERIFICATION_IN_CAPITAL": Translation(
        "Sent to the capital", "Vérification dans la capitale", "قيد التحقق في العاصمة"
    ),
    "INTERVIEW_NO_SHOW": Translation("Did not come to the interview", "Absent à l'entretien", "لم يحضر المقابلة"),
    "REFUSED_TO_COOPERATE_PERSON": Translation("Did not cooperate", "N'a pas coopéré", "لم يتعاون"),
    "EMBASSY_CLOSED": Translation("Embassy closed", "Ambassade fermée", "السفارة مغلقة"),
    "ISSUED": Translation("Issued", "Délivré", "تم الإصدار"),
    "REFUSED": Translation("Refused", "Refusé", "مرفوض"),
    "REQUIRES_ITINERARY": Translation("Flight details needed first", "Itinéraire requis", "مطلوب تفاصيل الرحلة أولا"),
    "FEE_REQUIRED": Translation("Fee to be paid", "Frais à payer", "رسوم مطلوبة"),
    "NO_SIGNIFICANT_CONDITION": Translation(
        "No significant condition", "Aucune affection notable", "لا توجد حالة مهمة"
    ),
    "SIGNIFICANT_CONDITION_STABLE": Translation("Condition, stable", "Affection notable, stable", "حالة مهمة ومستقرة"),
    "TREATMENT_REQUIRED": Translation("Treatment required", "Traitement nécessaire", "يحتاج إلى علاج"),
    "UNFIT_TEMPORARY": Translation("Unfit for now", "Inapte temporairement", "غير لائق مؤقتا"),
    "UNFIT_LONG_TERM": Translation("Unfit for long", "Inapte à long terme", "غير لائق لمدة طويلة"),
    "DECLINED_BY_PERSON": Translation("Declined by the person", "Refus de la personne", "رفض من الشخص"),
    "FIT": Translation("Fit to travel", "Apte à voyager", "لائق للسفر"),
    "FIT_WITH_CONDITIONS": Translation("Fit with conditions", "Apte sous conditions", "لائق بشروط"),
    "UNFIT": Translation("Unfit to travel", "Inapte à voyager", "غير لائق للسفر"),
    "GRANTED": Translation("Granted", "Accordée", "تمت الموافقة"),
    "MORE_INFO": Translation("More information needed", "Informations requises", "مطلوب معلومات إضافية"),
    "CONFIRMED": Translation("Reception confirmed", "Accueil confirmé", "تم تأكيد الاستقبال"),
    "CONFIRMED_WITH_LIMITS": Translation("Confirmed with limits", "Confirmé avec réserves", "تم التأكيد مع تحفظات"),
    "CANNOT_RECEIVE": Translation("Cannot receive", "Accueil impossible", "لا يمكن الاستقبال"),
    "RECEIVED": Translation("Received", "Accueilli", "تم الاستقبال"),
    "NOT_ARRIVED": Translation("Did not arrive", "Non arrivé", "لم يصل"),
    "REFUSED_ASSISTANCE": Translation("Declined assistance", "A refusé l'assistance", "رفض المساعدة"),
    "HANDED_OVER": Translation("Handed over", "Remis", "تم التسليم"),
    "ADMITTED": Translation("Admitted to hospital", "Hospitalisé", "أدخل المستشفى"),
    "NO_SHOW": Translation("Did not come", "Absent", "لم يحضر"),
    "CAREGIVER_ABSENT": Translation("Caregiver absent", "Responsable absent", "مقدم الرعاية غائب"),
}

ASKED: Final[Mapping[str, Translation]] = {
    ReferralKind.CONSULAR_IDENTITY: Translation("Nationality", "Nationalité", "الجنسية"),
    ReferralKind.TRAVEL_DOCUMENT: Translation("Travel document", "Document de voyage", "وثيقة السفر"),
    ReferralKind.MEDICAL_ASSESSMENT: Translation("Medical examination", "Examen médical", "فحص طبي"),
    ReferralKind.FIT_TO_TRAVEL: Translation("Fitness to travel", "Aptitude au voyage", "اللياقة للسفر"),
    ReferralKind.EXIT_PERMIT: Translation("Exit permit", "Autorisation de sortie", "تصريح خروج"),
    ReferralKind.RECEPTION: Translation("Reception", "Accueil", "استقبال"),
    ReferralKind.MEDICAL_HANDOVER: Translation("Medical handover", "Relais médical", "تسليم طبي"),
    ReferralKind.CHILD_HANDOVER: Translation("Handover of a child", "Remise d'un enfant", "تسليم طفل"),
}

DOCUMENTS: Final[Mapping[str, Translation]] = {
    TravelDocumentKind.PASSPORT: Translation("Passport", "Passeport", "جواز سفر"),
    TravelDocumentKind.LAISSEZ_PASSER: Translation("Laissez-passer", "Laissez-passer", "وثيقة عبور", "lp"),
    TravelDocumentKind.EMERGENCY_TRAVEL_CERTIFICATE: Translation(
        "Emergency travel certificate", "Certificat de voyage d'urgence", "وثيقة سفر طارئة", "etc"
    ),
    TravelDocumentKind.COLLECTIVE_LAISSEZ_PASSER: Translation(
        "Collective laissez-passer", "Laissez-passer collectif", "وثيقة عبور جماعية"
    ),
    TravelDocumentKind.ICRC_TRAVEL_DOCUMENT: Translation(
        "ICRC travel document", "Document de voyage du CICR", "وثيقة سفر من الصليب الأحمر"
    ),
}

REFUSALS: Final[Mapping[str, Translation]] = {
    "TRAVEL_BAN": Translation("Travel ban", "Interdiction de voyager", "منع من السفر"),
    "PENDING_CASE": Translation("Case pending", "Affaire en cours", "قضية قيد النظر"),
    "UNPAID_FINE": Translation("Fine not paid", "Amende impayée", "غرامة غير مدفوعة"),
    "DATA_MISMATCH": Translation("Data do not agree", "Données discordantes", "عدم تطابق البيانات"),
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
"""What in a column of the person's own word means that nothing was said. Whatever else is written there counts."""

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
        "Confidential. For this partner only; give it back to IOM.",
        "Confidentiel. Pour ce partenaire seulement ; à rendre à l'OIM.",
        "سري. مخصص لهذا الشريك فقط، ويعاد إلى المنظمة الدولية للهجرة.",
    ),
    "how": Translation(
        "Write one of the results below; leave a row empty where nothing has happened. The row code stays as it is.",
        "Inscrire un des résultats ci-dessous ; laisser vide si rien ne s'est passé. Ne pas changer le code de ligne.",
        "اكتب إحدى النتائج أدناه، واترك السطر فارغا إن لم يحدث شيء. لا تغير رمز السطر.",
    ),
    "own word": Translation(
        "Whoever no longer wants to return, or has a concern: mark it here. It needs no reason, and IOM calls.",
        "Qui ne veut plus rentrer, ou s'inquiète : le marquer ici, sans raison à donner. L'OIM appelle.",
        "من لم يعد يرغب في العودة أو لديه قلق: ضع علامة هنا دون ذكر السبب، وستتصل المنظمة.",
    ),
    "results": Translation("Results", "Résultats", "النتائج"),
    "sheet": Translation("Sheet", "Feuille", "الورقة"),
    "handed out": Translation("Handed out on", "Remise le", "تاريخ التسليم"),
    "rows": Translation("Rows", "Lignes", "عدد الأسطر"),
    "page": Translation("Page", "Page", "صفحة"),
    "filled in by": Translation(
        "Filled in by (name, signature, stamp)", "Rempli par (nom, signature, cachet)", "ملأها (الاسم والتوقيع والختم)"
    ),
    "recorded by": Translation("Recorded at IOM by", "Saisi à l'OIM par", "سجلها في المنظمة"),
    "on": Translation("Date", "Date", "التاريخ"),
}

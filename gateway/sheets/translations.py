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


class Words(NamedTuple):
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


def known_by(words: Mapping[str, Words], only: Iterable[str] | None = None) -> Mapping[str, str]:
    """Every spelling and what it stands for; of all words, or only of some."""
    wanted = words.keys() if only is None else only
    return spelled({name: words[name].spellings for name in wanted})


HEADINGS: Final[Mapping[str, Words]] = {
    "row code": Words("Row code", "Code de ligne", "رمز السطر", "code|row"),
    "asked for": Words("Asked for", "Demande", "المطلوب"),
    "family_name": Words("Family name", "Nom", "اللقب", "surname|nom de famille"),
    "given_names": Words("Given names", "Prénoms", "الاسم", "given name|first name|prénom"),
    "name_native_script": Words("Name in own script", "Nom en écriture d'origine", "الاسم بالكتابة الأصلية"),
    "sex": Words("Sex", "Sexe", "النوع"),
    "date_of_birth": Words("Date of birth", "Date de naissance", "تاريخ الميلاد"),
    "nationality": Words("Nationality", "Nationalité", "الجنسية"),
    "phone": Words("Phone", "Téléphone", "الهاتف"),
    "languages": Words("Languages", "Langues", "اللغات"),
    "document": Words("Travel document", "Document de voyage", "وثيقة السفر"),
    "flight": Words("Flight", "Vol", "الرحلة"),
    "result": Words("Result", "Résultat", "النتيجة", "outcome"),
    "date": Words("Date", "Date", "التاريخ"),
    "document kind": Words("Kind of document", "Type de document", "نوع الوثيقة"),
    "document number": Words("Document number", "Numéro du document", "رقم الوثيقة"),
    "issued on": Words("Issued on", "Délivré le", "تاريخ الإصدار"),
    "expires on": Words("Expires on", "Expire le", "تاريخ الانتهاء"),
    "permit number": Words("Permit number", "Numéro de l'autorisation", "رقم التصريح"),
    "list number": Words("List number", "Numéro de liste", "رقم القائمة"),
    "airport": Words("Airport", "Aéroport", "المطار"),
    "reason class": Words("Reason of refusal", "Motif du refus", "سبب الرفض"),
    "valid until": Words("Valid until", "Valable jusqu'au", "صالح حتى"),
    "check again on": Words("Check again on", "À revoir le", "موعد إعادة الفحص"),
    "cash in EUR": Words("Cash (EUR)", "Espèces (EUR)", "مبلغ نقدي (يورو)"),
    "nights": Words("Nights of shelter", "Nuits d'hébergement", "ليالي الإيواء"),
    "transport": Words("Onward transport", "Transport", "النقل"),
    "facility": Words("Health facility", "Structure de santé", "المرفق الصحي"),
    "identity checked": Words("Caregiver's identity checked", "Identité vérifiée", "تم التحقق من الهوية"),
    "note": Words("Note", "Remarque", "ملاحظة", "remarks|notes|remarques|ملاحظات"),
    "withdrawal": Words("Withdraws from return", "Renonce au retour", "يتراجع عن العودة"),
    "concern": Words("Concern, IOM should call", "Inquiétude, appel de l'OIM", "قلق، يرجى اتصال المنظمة"),
}

COLUMNS: Final = known_by(HEADINGS)

RESULTS: Final[Mapping[str, Words]] = {
    "ACCEPTED": Words("Accepted, not done yet", "Accepté, pas encore fait", "مقبول ولم ينجز بعد"),
    "REJECTED": Words("Cannot do it", "Impossible", "لا يمكن ذلك"),
    "NATIONALITY_CONFIRMED": Words("Nationality confirmed", "Nationalité confirmée", "تم تأكيد الجنسية"),
    "NOT_CONFIRMED": Words("Not confirmed", "Nationalité non confirmée", "لم يتم تأكيد الجنسية"),
    "VERIFICATION_IN_CAPITAL": Words("Sent to the capital", "Vérification dans la capitale", "قيد التحقق في العاصمة"),
    "INTERVIEW_NO_SHOW": Words("Did not come to the interview", "Absent à l'entretien", "لم يحضر المقابلة"),
    "REFUSED_TO_COOPERATE_PERSON": Words("Did not cooperate", "N'a pas coopéré", "لم يتعاون"),
    "EMBASSY_CLOSED": Words("Embassy closed", "Ambassade fermée", "السفارة مغلقة"),
    "ISSUED": Words("Issued", "Délivré", "تم الإصدار"),
    "REFUSED": Words("Refused", "Refusé", "مرفوض"),
    "REQUIRES_ITINERARY": Words("Flight details needed first", "Itinéraire requis", "مطلوب تفاصيل الرحلة أولا"),
    "FEE_REQUIRED": Words("Fee to be paid", "Frais à payer", "رسوم مطلوبة"),
    "NO_SIGNIFICANT_CONDITION": Words("No significant condition", "Aucune affection notable", "لا توجد حالة مهمة"),
    "SIGNIFICANT_CONDITION_STABLE": Words("Condition, stable", "Affection notable, stable", "حالة مهمة ومستقرة"),
    "TREATMENT_REQUIRED": Words("Treatment required", "Traitement nécessaire", "يحتاج إلى علاج"),
    "UNFIT_TEMPORARY": Words("Unfit for now", "Inapte temporairement", "غير لائق مؤقتا"),
    "UNFIT_LONG_TERM": Words("Unfit for long", "Inapte à long terme", "غير لائق لمدة طويلة"),
    "DECLINED_BY_PERSON": Words("Declined by the person", "Refus de la personne", "رفض من الشخص"),
    "FIT": Words("Fit to travel", "Apte à voyager", "لائق للسفر"),
    "FIT_WITH_CONDITIONS": Words("Fit with conditions", "Apte sous conditions", "لائق بشروط"),
    "UNFIT": Words("Unfit to travel", "Inapte à voyager", "غير لائق للسفر"),
    "GRANTED": Words("Granted", "Accordée", "تمت الموافقة"),
    "MORE_INFO": Words("More information needed", "Informations requises", "مطلوب معلومات إضافية"),
    "CONFIRMED": Words("Reception confirmed", "Accueil confirmé", "تم تأكيد الاستقبال"),
    "CONFIRMED_WITH_LIMITS": Words("Confirmed with limits", "Confirmé avec réserves", "تم التأكيد مع تحفظات"),
    "CANNOT_RECEIVE": Words("Cannot receive", "Accueil impossible", "لا يمكن الاستقبال"),
    "RECEIVED": Words("Received", "Accueilli", "تم الاستقبال"),
    "NOT_ARRIVED": Words("Did not arrive", "Non arrivé", "لم يصل"),
    "REFUSED_ASSISTANCE": Words("Declined assistance", "A refusé l'assistance", "رفض المساعدة"),
    "HANDED_OVER": Words("Handed over", "Remis", "تم التسليم"),
    "ADMITTED": Words("Admitted to hospital", "Hospitalisé", "أدخل المستشفى"),
    "NO_SHOW": Words("Did not come", "Absent", "لم يحضر"),
    "CAREGIVER_ABSENT": Words("Caregiver absent", "Responsable absent", "مقدم الرعاية غائب"),
}

ASKED: Final[Mapping[str, Words]] = {
    ReferralKind.CONSULAR_IDENTITY: Words("Nationality", "Nationalité", "الجنسية"),
    ReferralKind.TRAVEL_DOCUMENT: Words("Travel document", "Document de voyage", "وثيقة السفر"),
    ReferralKind.MEDICAL_ASSESSMENT: Words("Medical examination", "Examen médical", "فحص طبي"),
    ReferralKind.FIT_TO_TRAVEL: Words("Fitness to travel", "Aptitude au voyage", "اللياقة للسفر"),
    ReferralKind.EXIT_PERMIT: Words("Exit permit", "Autorisation de sortie", "تصريح خروج"),
    ReferralKind.RECEPTION: Words("Reception", "Accueil", "استقبال"),
    ReferralKind.MEDICAL_HANDOVER: Words("Medical handover", "Relais médical", "تسليم طبي"),
    ReferralKind.CHILD_HANDOVER: Words("Handover of a child", "Remise d'un enfant", "تسليم طفل"),
}

DOCUMENTS: Final[Mapping[str, Words]] = {
    TravelDocumentKind.PASSPORT: Words("Passport", "Passeport", "جواز سفر"),
    TravelDocumentKind.LAISSEZ_PASSER: Words("Laissez-passer", "Laissez-passer", "وثيقة عبور", "lp"),
    TravelDocumentKind.EMERGENCY_TRAVEL_CERTIFICATE: Words(
        "Emergency travel certificate", "Certificat de voyage d'urgence", "وثيقة سفر طارئة", "etc"
    ),
    TravelDocumentKind.COLLECTIVE_LAISSEZ_PASSER: Words(
        "Collective laissez-passer", "Laissez-passer collectif", "وثيقة عبور جماعية"
    ),
    TravelDocumentKind.ICRC_TRAVEL_DOCUMENT: Words(
        "ICRC travel document", "Document de voyage du CICR", "وثيقة سفر من الصليب الأحمر"
    ),
}

REFUSALS: Final[Mapping[str, Words]] = {
    "TRAVEL_BAN": Words("Travel ban", "Interdiction de voyager", "منع من السفر"),
    "PENDING_CASE": Words("Case pending", "Affaire en cours", "قضية قيد النظر"),
    "UNPAID_FINE": Words("Fine not paid", "Amende impayée", "غرامة غير مدفوعة"),
    "DATA_MISMATCH": Words("Data do not agree", "Données discordantes", "عدم تطابق البيانات"),
    "SECURITY": Words("Security", "Sécurité", "أسباب أمنية"),
}

YES_OR_NO: Final[Mapping[str, Words]] = {"yes": Words("Yes", "Oui", "نعم"), "no": Words("No", "Non", "لا")}

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

SEXES: Final[Mapping[str, Words]] = {
    "FEMALE": Words("F", "F", "أنثى"),
    "MALE": Words("M", "M", "ذكر"),
    "UNKNOWN": Words("", "", ""),
    "NOT_APPLICABLE": Words("", "", ""),
}

TITLES: Final[Mapping[SheetKind, Words]] = {
    SheetKind.EMBASSY_SESSION: Words("Embassy session", "Séance consulaire", "جلسة السفارة"),
    SheetKind.CLINIC_AFTERNOON: Words("Clinic afternoon", "Consultations à la clinique", "جلسة العيادة"),
    SheetKind.EXIT_LIST: Words("Exit list", "Liste de sortie", "قائمة الخروج"),
    SheetKind.RECEPTION_DESK: Words("Reception desk", "Bureau d'accueil", "مكتب الاستقبال"),
}

SAYINGS: Final[Mapping[str, Words]] = {
    "confidential": Words(
        "Confidential. For this partner only; give it back to IOM.",
        "Confidentiel. Pour ce partenaire seulement ; à rendre à l'OIM.",
        "سري. مخصص لهذا الشريك فقط، ويعاد إلى المنظمة الدولية للهجرة.",
    ),
    "how": Words(
        "Write one of the results below; leave a row empty where nothing has happened. The row code stays as it is.",
        "Inscrire un des résultats ci-dessous ; laisser vide si rien ne s'est passé. Ne pas changer le code de ligne.",
        "اكتب إحدى النتائج أدناه، واترك السطر فارغا إن لم يحدث شيء. لا تغير رمز السطر.",
    ),
    "own word": Words(
        "Whoever no longer wants to return, or has a concern: mark it here. It needs no reason, and IOM calls.",
        "Qui ne veut plus rentrer, ou s'inquiète : le marquer ici, sans raison à donner. L'OIM appelle.",
        "من لم يعد يرغب في العودة أو لديه قلق: ضع علامة هنا دون ذكر السبب، وستتصل المنظمة.",
    ),
    "results": Words("Results", "Résultats", "النتائج"),
    "sheet": Words("Sheet", "Feuille", "الورقة"),
    "handed out": Words("Handed out on", "Remise le", "تاريخ التسليم"),
    "rows": Words("Rows", "Lignes", "عدد الأسطر"),
    "page": Words("Page", "Page", "صفحة"),
    "filled in by": Words(
        "Filled in by (name, signature, stamp)", "Rempli par (nom, signature, cachet)", "ملأها (الاسم والتوقيع والختم)"
    ),
    "recorded by": Words("Recorded at IOM by", "Saisi à l'OIM par", "سجلها في المنظمة"),
    "on": Words("Date", "Date", "التاريخ"),
}

"""Vocabulary of registration lists in English, French and Arabic: headings, intake channels, living situations."""

from __future__ import annotations

from typing import Final

from gateway.tabular.normalization import spelled

COLUMNS: Final = spelled({
    "family name": "surname|last name|nom|nom de famille|اللقب|اسم العائلة|family",
    "given names": "given name|first name|first names|forename|prénom|prénoms|prénom(s)|الاسم|الاسم الأول|الأسماء",
    "full name": "name|nom complet|nom et prénom|nom et prénoms|noms et prénoms"
    "|الاسم الكامل|الاسم الثلاثي|الاسم واللقب",
    "native name": "name in native script|name native script|arabic name|name (arabic)|name in arabic|nom en arabe"
    "|nom (arabe)|الاسم بالعربية|الاسم بالعربي|الاسم باللغة العربية",
    "sex": "gender|sexe|genre|m/f|الجنس|النوع",
    "date of birth": "dob|birth date|birthdate|born|date de naissance|né(e) le|née le|né le|ddn"
    "|تاريخ الميلاد|تاريخ الولادة",
    "nationality": "citizenship|nationalité|الجنسية",
    "country of return": "return country|destination|destination country|pays de retour|بلد العودة|دولة العودة",
    "phone": "phone number|telephone|telephone number|mobile|tel|tél|téléphone|numéro de téléphone|portable|contact"
    "|الهاتف|رقم الهاتف|هاتف|جوال",
    "languages": "language|spoken languages|langue|langues|langue parlée|langues parlées|اللغة|اللغات",
    "channel": "intake channel|referred by|source|canal|canal d'accueil|orienté par"
    "|قناة الاستقبال|المصدر|جهة الإحالة",
    "office": "field office|iom office|bureau|sous-bureau|antenne|المكتب",
    "living situation": "living|shelter situation|accommodation|situation de logement|logement|hébergement"
    "|السكن|وضع السكن",
    "consent": "consent to data processing|data consent|consent given|consentement|consentement donné|accord"
    "|الموافقة|موافقة",
    "registered on": "registration date|date of registration|date registered|date d'enregistrement|date"
    "|date d'inscription|تاريخ التسجيل",
    "reference": "list reference|list ref|ref|reference number|registration number|reg no|reg number|registration no"
    "|référence|numéro de référence|numéro d'enregistrement|n° d'enregistrement|مرجع|المرجع|رقم التسجيل|الرقم المرجعي",
    "form version": "consent form|form|formulaire|version du formulaire|نموذج",
})  # fmt: skip

CHANNELS: Final = spelled({
    "HOTLINE": "phone|call|helpline|ligne verte|ligne d'assistance|appel|الخط الساخن|اتصال",
    "WALK_IN": "walk in|walkin|office|visit|visite|en personne|spontané|bureau|حضور شخصي|زيارة المكتب",
    "OUTREACH_MRRM": "outreach|mrrm|mobile team|équipe mobile|maraude|sensibilisation|فريق متنقل|توعية",
    "DETENTION_VISIT": "detention|detention centre|dc visit|visite de détention|centre de détention"
    "|زيارة احتجاز|مركز احتجاز",
    "DISEMBARKATION": "disembarkation point|débarquement|إنزال|نقطة الإنزال",
    "EMBASSY": "consulate|ambassade|consulat|سفارة|السفارة|قنصلية",
    "COMMUNITY_LEADER": "community|leader|leader communautaire|communauté|قائد مجتمعي|الجالية",
    "PARTNER_REFERRAL": "partner|ngo|un agency|partenaire|ong|référencement|شريك|منظمة|إحالة",
    "ONLINE": "web|website|internet|facebook|en ligne|site web|الإنترنت|عبر الإنترنت",
    "TRANSFER_IN": "transfer|transfert|تحويل",
    "DISTRESS_DESERT": "desert|rescue|désert|sauvetage|صحراء|إنقاذ",
})  # fmt: skip

LIVING: Final = spelled({
    "URBAN_RENTED": "rented|renting|rent|flat|apartment|house|location|loué|appartement|maison|إيجار|شقة|بيت مستأجر",
    "EMPLOYER": "with employer|at work|chez l'employeur|employeur|عند صاحب العمل|مكان العمل",
    "INFORMAL": "informal settlement|camp|makeshift|unfinished building|campement|informel|chantier|مخيم|سكن عشوائي",
    "SHELTER": "safe house|foyer|abri|centre d'accueil|مأوى|دار إيواء",
    "DETENTION_OFFICIAL": "detention|detention centre|dcim|détention|centre de détention|مركز احتجاز|محتجز",
    "DETENTION_UNOFFICIAL": "unofficial detention|détention non officielle|احتجاز غير رسمي",
    "DISEMBARKATION_POINT": "disembarkation|port|débarquement|point de débarquement|نقطة الإنزال|الميناء",
    "HOSPITAL": "clinic|hôpital|clinique|مستشفى",
    "STREET": "homeless|rue|sans abri|sans-abri|الشارع|بلا مأوى",
    "OTHER": "autre|friends|with friends|family|amis|famille|أخرى|أصدقاء",
})  # fmt: skip

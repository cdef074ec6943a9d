"""What lists say, in the words of the field: nationalities, sexes, answers, and the headings of columns.

English, French and Arabic, as field offices write them. Everything is compared folded: without case, accents, marks.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Final

MARKS: Final = (0xFEFF, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
INVISIBLE: Final = dict.fromkeys(MARKS)
ARABIC_SPELLINGS: Final = str.maketrans({"ى": "ي", "ة": "ه", "ـ": None, "ٱ": "ا", "’": "'", "_": " "})


def tidy(text: str) -> str:
    """The text as it was meant: composed, without invisible marks, with single spaces."""
    return " ".join(unicodedata.normalize("NFC", text).translate(INVISIBLE).split())


def folded(text: str) -> str:
    """What two spellings of one word have in common."""
    plain = unicodedata.normalize("NFKD", tidy(text)).translate(ARABIC_SPELLINGS).casefold()
    return " ".join("".join(letter for letter in plain if not unicodedata.combining(letter)).split()).strip(" .:*")


def likeness(text: str) -> str:
    """The same, with hyphens taken for spaces: what a word is looked up by."""
    return " ".join(folded(text).replace("-", " ").split())


def spelled(words: Mapping[str, str]) -> Mapping[str, str]:
    """Every spelling and what it stands for. Spellings are separated by bars."""
    return {
        likeness(each): meaning for meaning, spellings in words.items() for each in (meaning, *spellings.split("|"))
    }


def known(words: Mapping[str, str], text: str) -> str | None:
    return words.get(likeness(text))


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

NOTHING: Final = (
    "-|--|—|?|n/a|none|null|unknown|not known|inconnu|inconnue|non connu|غير معروف|غير معروفة|لا يوجد|مجهول"
)
MISSING: Final = frozenset(("", *map(folded, NOTHING.split("|"))))

SEXES: Final = spelled({
    "MALE": "m|male|man|boy|h|homme|masculin|garçon|ذكر|رجل|ولد",
    "FEMALE": "f|female|woman|girl|femme|féminin|fille|أنثى|انثى|امرأة|بنت",
    "NOT_APPLICABLE": "not applicable|sans objet",
    "UNKNOWN": "u|x|other|autre|غير محدد",
})  # fmt: skip

ANSWERS: Final = spelled({
    "yes": "y|true|1|given|signed|x|✓|✔|o|oui|vrai|donné|signé|نعم|أجل|موافق|موافقة",
    "no": "n|false|0|refused|not given|non|faux|refusé|لا|رفض|غير موافق",
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

TONGUES: Final = spelled({
    "en": "english|anglais|الإنجليزية|انجليزي|eng",
    "fr": "french|français|الفرنسية|فرنسي|fra",
    "ar": "arabic|arabe|العربية|عربي|ara",
    "ha": "hausa|haoussa|الهوسا|hau",
    "ff": "fula|fulah|fulani|pulaar|peul|fulfulde|الفولانية|ful",
    "bm": "bambara|bamanankan|البامبارا|bam",
    "wo": "wolof|الولوف|wol",
    "mnk": "mandinka|mandingo|malinké|malinke|الماندينكا",
    "bn": "bengali|bangla|البنغالية|ben",
    "so": "somali|الصومالية|som",
    "am": "amharic|amharique|الأمهرية|amh",
    "ti": "tigrinya|tigrigna|التغرينية|tir",
    "ur": "urdu|ourdou|الأردية|urd",
    "yo": "yoruba|yor",
    "ig": "igbo|ibo",
    "pcm": "pidgin|nigerian pidgin",
    "sus": "susu|soussou",
    "dje": "zarma|djerma",
    "mos": "mooré|moore|mossi",
    "kri": "krio",
    "tw": "twi|akan",
    "pt": "portuguese|portugais|por",
})  # fmt: skip

_COUNTRIES: Final = """
NGA NG|Nigeria|Nigerian|Nigérian|Nigériane|Nigéria|نيجيريا|نيجيري|نيجيرية
MLI ML|Mali|Malian|Malien|Malienne|مالي|مالية
NER NE|Niger|Nigerien|Nigérien|Nigérienne|Republic of Niger|République du Niger|النيجر|نيجري
BGD BD|Bangladesh|Bangladeshi|Bangladais|Bangladaise|بنغلاديش|بنغلاديشي|بنجلاديش
GMB GM|Gambia|The Gambia|Gambian|Gambie|La Gambie|Gambien|Gambienne|غامبيا|غامبي|غامبية
GIN GN|Guinea|Guinean|Guinea Conakry|Guinea-Conakry|Guinée|Guinéen|Guinéenne|Guinée Conakry|غينيا|غيني
BFA BF|Burkina Faso|Burkina|Burkinabe|Burkinabè|بوركينا فاسو|بوركيني
SEN SN|Senegal|Senegalese|Sénégal|Sénégalais|Sénégalaise|السنغال|سنغالي|سنغالية
GHA GH|Ghana|Ghanaian|Ghanéen|Ghanéenne|غانا|غاني|غانية
CIV CI|Côte d'Ivoire|Ivory Coast|Ivorian|Ivoirien|Ivoirienne|ساحل العاج|كوت ديفوار|إيفواري
SDN SD|Sudan|Sudanese|Soudan|Soudanais|Soudanaise|السودان|سوداني|سودانية
SSD SS|South Sudan|South Sudanese|Soudan du Sud|Sud-Soudan|جنوب السودان
TCD TD|Chad|Chadian|Tchad|Tchadien|Tchadienne|تشاد|تشادي|تشادية
CMR CM|Cameroon|Cameroonian|Cameroun|Camerounais|Camerounaise|الكاميرون|كاميروني
SLE SL|Sierra Leone|Sierra Leonean|Sierra-Léonais|Sierra-Léonaise|سيراليون|سيراليوني
EGY EG|Egypt|Egyptian|Égypte|Égyptien|Égyptienne|مصر|مصري|مصرية
PAK PK|Pakistan|Pakistani|Pakistanais|Pakistanaise|باكستان|باكستاني
MAR MA|Morocco|Moroccan|Maroc|Marocain|Marocaine|المغرب|مغربي|مغربية
ETH ET|Ethiopia|Ethiopian|Éthiopie|Éthiopien|Éthiopienne|إثيوبيا|إثيوبي|إثيوبية
SOM SO|Somalia|Somali|Somalie|Somalien|Somalienne|الصومال|صومالي|صومالية
BEN BJ|Benin|Beninese|Bénin|Béninois|Béninoise|بنين|بنيني
TGO TG|Togo|Togolese|Togolais|Togolaise|توغو|توغولي
LBR LR|Liberia|Liberian|Libéria|Libérien|Libérienne|ليبيريا|ليبيري
GNB GW|Guinea-Bissau|Guinea Bissau|Bissau-Guinean|Guinée-Bissau|Guinée Bissau|غينيا بيساو
GNQ GQ|Equatorial Guinea|Guinée équatoriale|غينيا الاستوائية
ERI ER|Eritrea|Eritrean|Érythrée|Érythréen|Érythréenne|إريتريا|إريتري|إريترية
DJI DJ|Djibouti|Djiboutian|Djiboutien|جيبوتي
KEN KE|Kenya|Kenyan|Kényan|كينيا|كيني
UGA UG|Uganda|Ugandan|Ouganda|Ougandais|أوغندا
RWA RW|Rwanda|Rwandan|Rwandais|رواندا
BDI BI|Burundi|Burundian|Burundais|بوروندي
TZA TZ|Tanzania|Tanzanian|Tanzanie|Tanzanien|تنزانيا
COD CD|DR Congo|DRC|Democratic Republic of the Congo|République démocratique du Congo|RDC|الكونغو الديمقراطية
COG CG|Congo|Congolese|Congo-Brazzaville|Congolais|Congolaise|الكونغو
CAF CF|Central African Republic|CAR|République centrafricaine|Centrafricain|أفريقيا الوسطى
GAB GA|Gabon|Gabonese|Gabonais|الغابون
MRT MR|Mauritania|Mauritanian|Mauritanie|Mauritanien|Mauritanienne|موريتانيا|موريتاني
CPV CV|Cabo Verde|Cape Verde|Cap-Vert|الرأس الأخضر
AGO AO|Angola|Angolan|Angolais|أنغولا
ZMB ZM|Zambia|Zambian|Zambie|Zambien|زامبيا
ZWE ZW|Zimbabwe|Zimbabwean|Zimbabwéen|زيمبابوي
MDG MG|Madagascar|Malagasy|Malgache|مدغشقر
COM KM|Comoros|Comorian|Comores|Comorien|جزر القمر
DZA DZ|Algeria|Algerian|Algérie|Algérien|Algérienne|الجزائر|جزائري|جزائرية
TUN TN|Tunisia|Tunisian|Tunisie|Tunisien|Tunisienne|تونس|تونسي|تونسية
LBY LY|Libya|Libyan|Libye|Libyen|Libyenne|ليبيا|ليبي|ليبية
SYR SY|Syria|Syrian|Syrie|Syrien|Syrienne|سوريا|سوري|سورية
IRQ IQ|Iraq|Iraqi|Irak|Irakien|Irakienne|العراق|عراقي|عراقية
YEM YE|Yemen|Yemeni|Yémen|Yéménite|اليمن|يمني|يمنية
JOR JO|Jordan|Jordanian|Jordanie|Jordanien|الأردن|أردني
LBN LB|Lebanon|Lebanese|Liban|Libanais|Libanaise|لبنان|لبناني
PSE PS|Palestine|Palestinian|Palestinien|Palestinienne|فلسطين|فلسطيني|فلسطينية
IND IN|India|Indian|Inde|Indien|Indienne|الهند|هندي
NPL NP|Nepal|Nepali|Nepalese|Népal|Népalais|نيبال
LKA LK|Sri Lanka|Sri Lankan|Sri-Lankais|سريلانكا
PHL PH|Philippines|Filipino|Filipina|Philippin|Philippine|الفلبين
AFG AF|Afghanistan|Afghan|Afghane|أفغانستان|أفغاني
IRN IR|Iran|Iranian|Iranien|إيران|إيراني
TUR TR|Türkiye|Turkey|Turkish|Turquie|Turc|Turque|تركيا|تركي
"""

COUNTRIES: Final = {row[:3]: row[4:] for row in _COUNTRIES.strip().splitlines()}
"""Every way to write a nationality, by alpha-3: alpha-2, the country, and its people."""

NATIONALITIES: Final = spelled(COUNTRIES)


def country_name(alpha3: str) -> str:
    """The English name, for people to read."""
    return COUNTRIES[alpha3].split("|")[1]

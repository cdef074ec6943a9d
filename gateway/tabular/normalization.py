"""What people write on lists, in the words of the field: nationalities, languages, sexes, answers.

English, French and Arabic, as offices and partners write them. Everything is compared folded: without case, accents,
marks.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Final

from domain.kernel.places import ALPHA2

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
NGA Nigeria|Nigerian|Nigérian|Nigériane|Nigéria|نيجيريا|نيجيري|نيجيرية
MLI Mali|Malian|Malien|Malienne|مالي|مالية
NER Niger|Nigerien|Nigérien|Nigérienne|Republic of Niger|République du Niger|النيجر|نيجري
BGD Bangladesh|Bangladeshi|Bangladais|Bangladaise|بنغلاديش|بنغلاديشي|بنجلاديش
GMB Gambia|The Gambia|Gambian|Gambie|La Gambie|Gambien|Gambienne|غامبيا|غامبي|غامبية
GIN Guinea|Guinean|Guinea Conakry|Guinea-Conakry|Guinée|Guinéen|Guinéenne|Guinée Conakry|غينيا|غيني
BFA Burkina Faso|Burkina|Burkinabe|Burkinabè|بوركينا فاسو|بوركيني
SEN Senegal|Senegalese|Sénégal|Sénégalais|Sénégalaise|السنغال|سنغالي|سنغالية
GHA Ghana|Ghanaian|Ghanéen|Ghanéenne|غانا|غاني|غانية
CIV Côte d'Ivoire|Ivory Coast|Ivorian|Ivoirien|Ivoirienne|ساحل العاج|كوت ديفوار|إيفواري
SDN Sudan|Sudanese|Soudan|Soudanais|Soudanaise|السودان|سوداني|سودانية
SSD South Sudan|South Sudanese|Soudan du Sud|Sud-Soudan|جنوب السودان
TCD Chad|Chadian|Tchad|Tchadien|Tchadienne|تشاد|تشادي|تشادية
CMR Cameroon|Cameroonian|Cameroun|Camerounais|Camerounaise|الكاميرون|كاميروني
SLE Sierra Leone|Sierra Leonean|Sierra-Léonais|Sierra-Léonaise|سيراليون|سيراليوني
EGY Egypt|Egyptian|Égypte|Égyptien|Égyptienne|مصر|مصري|مصرية
PAK Pakistan|Pakistani|Pakistanais|Pakistanaise|باكستان|باكستاني
MAR Morocco|Moroccan|Maroc|Marocain|Marocaine|المغرب|مغربي|مغربية
ETH Ethiopia|Ethiopian|Éthiopie|Éthiopien|Éthiopienne|إثيوبيا|إثيوبي|إثيوبية
SOM Somalia|Somali|Somalie|Somalien|Somalienne|الصومال|صومالي|صومالية
BEN Benin|Beninese|Bénin|Béninois|Béninoise|بنين|بنيني
TGO Togo|Togolese|Togolais|Togolaise|توغو|توغولي
LBR Liberia|Liberian|Libéria|Libérien|Libérienne|ليبيريا|ليبيري
GNB Guinea-Bissau|Guinea Bissau|Bissau-Guinean|Guinée-Bissau|Guinée Bissau|غينيا بيساو
GNQ Equatorial Guinea|Guinée équatoriale|غينيا الاستوائية
ERI Eritrea|Eritrean|Érythrée|Érythréen|Érythréenne|إريتريا|إريتري|إريترية
DJI Djibouti|Djiboutian|Djiboutien|جيبوتي
KEN Kenya|Kenyan|Kényan|كينيا|كيني
UGA Uganda|Ugandan|Ouganda|Ougandais|أوغندا
RWA Rwanda|Rwandan|Rwandais|رواندا
BDI Burundi|Burundian|Burundais|بوروندي
TZA Tanzania|Tanzanian|Tanzanie|Tanzanien|تنزانيا
COD DR Congo|DRC|Democratic Republic of the Congo|République démocratique du Congo|RDC|الكونغو الديمقراطية
COG Congo|Congolese|Congo-Brazzaville|Congolais|Congolaise|الكونغو
CAF Central African Republic|CAR|République centrafricaine|Centrafricain|أفريقيا الوسطى
GAB Gabon|Gabonese|Gabonais|الغابون
MRT Mauritania|Mauritanian|Mauritanie|Mauritanien|Mauritanienne|موريتانيا|موريتاني
CPV Cabo Verde|Cape Verde|Cap-Vert|الرأس الأخضر
AGO Angola|Angolan|Angolais|أنغولا
ZMB Zambia|Zambian|Zambie|Zambien|زامبيا
ZWE Zimbabwe|Zimbabwean|Zimbabwéen|زيمبابوي
MDG Madagascar|Malagasy|Malgache|مدغشقر
COM Comoros|Comorian|Comores|Comorien|جزر القمر
DZA Algeria|Algerian|Algérie|Algérien|Algérienne|الجزائر|جزائري|جزائرية
TUN Tunisia|Tunisian|Tunisie|Tunisien|Tunisienne|تونس|تونسي|تونسية
LBY Libya|Libyan|Libye|Libyen|Libyenne|ليبيا|ليبي|ليبية
SYR Syria|Syrian|Syrie|Syrien|Syrienne|سوريا|سوري|سورية
IRQ Iraq|Iraqi|Irak|Irakien|Irakienne|العراق|عراقي|عراقية
YEM Yemen|Yemeni|Yémen|Yéménite|اليمن|يمني|يمنية
JOR Jordan|Jordanian|Jordanie|Jordanien|الأردن|أردني
LBN Lebanon|Lebanese|Liban|Libanais|Libanaise|لبنان|لبناني
PSE Palestine|Palestinian|Palestinien|Palestinienne|فلسطين|فلسطيني|فلسطينية
IND India|Indian|Inde|Indien|Indienne|الهند|هندي
NPL Nepal|Nepali|Nepalese|Népal|Népalais|نيبال
LKA Sri Lanka|Sri Lankan|Sri-Lankais|سريلانكا
PHL Philippines|Filipino|Filipina|Philippin|Philippine|الفلبين
AFG Afghanistan|Afghan|Afghane|أفغانستان|أفغاني
IRN Iran|Iranian|Iranien|إيران|إيراني
TUR Türkiye|Turkey|Turkish|Turquie|Turc|Turque|تركيا|تركي
"""

COUNTRIES: Final = {row[:3]: f"{ALPHA2[row[:3]]}|{row[4:]}" for row in _COUNTRIES.strip().splitlines()}
"""Every way to write a nationality, by alpha-3: alpha-2, the country, and its people."""

NATIONALITIES: Final = spelled(COUNTRIES)


def country_name(alpha3: str) -> str:
    """The English name, for people to read."""
    return COUNTRIES[alpha3].split("|")[1]

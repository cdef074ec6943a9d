"""Names of countries, languages and travel documents in English, French and Arabic.

The only table of these names: pages and sheets show them, and lists and command-line options are read with them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from domain.kernel.places import ALPHA2
from domain.kernel.vocabulary import TravelDocumentKind


class Translation(NamedTuple):
    """One term in three languages. ``also`` holds further accepted spellings, separated by ``|``."""

    en: str
    fr: str
    ar: str
    also: str = ""

    def in_(self, language: str) -> str:
        """Returns the term in ``en``, ``fr`` or ``ar``."""
        return {"en": self.en, "fr": self.fr, "ar": self.ar}[language]

    @property
    def spellings(self) -> str:
        """All accepted spellings, separated by ``|``."""
        return "|".join(filter(None, self))


_COUNTRIES: Final = """
NGA Nigeria|Nigéria|نيجيريا|Nigerian|Nigérian|Nigériane|نيجيري|نيجيرية
MLI Mali|Mali|مالي|Malian|Malien|Malienne|مالية
NER Niger|Niger|النيجر|Nigerien|Nigérien|Nigérienne|Republic of Niger|République du Niger|نيجري
BGD Bangladesh|Bangladesh|بنغلاديش|Bangladeshi|Bangladais|Bangladaise|بنغلاديشي|بنجلاديش
GMB Gambia|Gambie|غامبيا|The Gambia|Gambian|La Gambie|Gambien|Gambienne|غامبي|غامبية
GIN Guinea|Guinée|غينيا|Guinean|Guinea Conakry|Guinea-Conakry|Guinéen|Guinéenne|Guinée Conakry|غيني
BFA Burkina Faso|Burkina Faso|بوركينا فاسو|Burkina|Burkinabe|Burkinabè|بوركيني
SEN Senegal|Sénégal|السنغال|Senegalese|Sénégalais|Sénégalaise|سنغالي|سنغالية
GHA Ghana|Ghana|غانا|Ghanaian|Ghanéen|Ghanéenne|غاني|غانية
CIV Côte d'Ivoire|Côte d'Ivoire|كوت ديفوار|Ivory Coast|Ivorian|Ivoirien|Ivoirienne|ساحل العاج|إيفواري
SDN Sudan|Soudan|السودان|Sudanese|Soudanais|Soudanaise|سوداني|سودانية
SSD South Sudan|Soudan du Sud|جنوب السودان|South Sudanese|Sud-Soudan
TCD Chad|Tchad|تشاد|Chadian|Tchadien|Tchadienne|تشادي|تشادية
CMR Cameroon|Cameroun|الكاميرون|Cameroonian|Camerounais|Camerounaise|كاميروني
SLE Sierra Leone|Sierra Leone|سيراليون|Sierra Leonean|Sierra-Léonais|Sierra-Léonaise|سيراليوني
EGY Egypt|Égypte|مصر|Egyptian|Égyptien|Égyptienne|مصري|مصرية
PAK Pakistan|Pakistan|باكستان|Pakistani|Pakistanais|Pakistanaise|باكستاني
MAR Morocco|Maroc|المغرب|Moroccan|Marocain|Marocaine|مغربي|مغربية
ETH Ethiopia|Éthiopie|إثيوبيا|Ethiopian|Éthiopien|Éthiopienne|إثيوبي|إثيوبية
SOM Somalia|Somalie|الصومال|Somali|Somalien|Somalienne|صومالي|صومالية
BEN Benin|Bénin|بنين|Beninese|Béninois|Béninoise|بنيني
TGO Togo|Togo|توغو|Togolese|Togolais|Togolaise|توغولي
LBR Liberia|Libéria|ليبيريا|Liberian|Libérien|Libérienne|ليبيري
GNB Guinea-Bissau|Guinée-Bissau|غينيا بيساو|Guinea Bissau|Bissau-Guinean|Guinée Bissau
GNQ Equatorial Guinea|Guinée équatoriale|غينيا الاستوائية
ERI Eritrea|Érythrée|إريتريا|Eritrean|Érythréen|Érythréenne|إريتري|إريترية
DJI Djibouti|Djibouti|جيبوتي|Djiboutian|Djiboutien
KEN Kenya|Kenya|كينيا|Kenyan|Kényan|كيني
UGA Uganda|Ouganda|أوغندا|Ugandan|Ougandais
RWA Rwanda|Rwanda|رواندا|Rwandan|Rwandais
BDI Burundi|Burundi|بوروندي|Burundian|Burundais
TZA Tanzania|Tanzanie|تنزانيا|Tanzanian|Tanzanien
COD DR Congo|République démocratique du Congo|الكونغو الديمقراطية|DRC|Democratic Republic of the Congo|RDC
COG Congo|Congo|الكونغو|Congolese|Congo-Brazzaville|Congolais|Congolaise
CAF Central African Republic|République centrafricaine|أفريقيا الوسطى|CAR|Centrafricain
GAB Gabon|Gabon|الغابون|Gabonese|Gabonais
MRT Mauritania|Mauritanie|موريتانيا|Mauritanian|Mauritanien|Mauritanienne|موريتاني
CPV Cabo Verde|Cap-Vert|الرأس الأخضر|Cape Verde
AGO Angola|Angola|أنغولا|Angolan|Angolais
ZMB Zambia|Zambie|زامبيا|Zambian|Zambien
ZWE Zimbabwe|Zimbabwe|زيمبابوي|Zimbabwean|Zimbabwéen
MDG Madagascar|Madagascar|مدغشقر|Malagasy|Malgache
COM Comoros|Comores|جزر القمر|Comorian|Comorien
DZA Algeria|Algérie|الجزائر|Algerian|Algérien|Algérienne|جزائري|جزائرية
TUN Tunisia|Tunisie|تونس|Tunisian|Tunisien|Tunisienne|تونسي|تونسية
LBY Libya|Libye|ليبيا|Libyan|Libyen|Libyenne|ليبي|ليبية
SYR Syria|Syrie|سوريا|Syrian|Syrien|Syrienne|سوري|سورية
IRQ Iraq|Irak|العراق|Iraqi|Irakien|Irakienne|عراقي|عراقية
YEM Yemen|Yémen|اليمن|Yemeni|Yéménite|يمني|يمنية
JOR Jordan|Jordanie|الأردن|Jordanian|Jordanien|أردني
LBN Lebanon|Liban|لبنان|Lebanese|Libanais|Libanaise|لبناني
PSE Palestine|Palestine|فلسطين|Palestinian|Palestinien|Palestinienne|فلسطيني|فلسطينية
IND India|Inde|الهند|Indian|Indien|Indienne|هندي
NPL Nepal|Népal|نيبال|Nepali|Nepalese|Népalais
LKA Sri Lanka|Sri Lanka|سريلانكا|Sri Lankan|Sri-Lankais
PHL Philippines|Philippines|الفلبين|Filipino|Filipina|Philippin|Philippine
AFG Afghanistan|Afghanistan|أفغانستان|Afghan|Afghane|أفغاني
IRN Iran|Iran|إيران|Iranian|Iranien|إيراني
TUR Türkiye|Turquie|تركيا|Turkey|Turkish|Turc|Turque|تركي
"""

_LANGUAGES: Final = """
en English|Anglais|الإنجليزية|انجليزي|eng
fr French|Français|الفرنسية|فرنسي|fra
ar Arabic|Arabe|العربية|عربي|ara
ha Hausa|Haoussa|الهوسا|hau
ff Fula|Peul|الفولانية|fulah|fulani|pulaar|fulfulde|ful
bm Bambara|Bambara|البمبارية|bamanankan|البامبارا|bam
wo Wolof|Wolof|الولوفية|الولوف|wol
mnk Mandinka|Mandinka|الماندينكا|mandingo|malinké|malinke
bn Bengali|Bengali|البنغالية|bangla|ben
so Somali|Somali|الصومالية|som
am Amharic|Amharique|الأمهرية|amh
ti Tigrinya|Tigrigna|التغرينية|tir
ur Urdu|Ourdou|الأردية|urd
yo Yoruba|Yoruba|اليوروبا|yor
ig Igbo|Igbo|الإيغبو|ibo
pcm Nigerian Pidgin|Pidgin nigérian|البيدجن النيجيرية|pidgin
sus Susu|Soussou|السوسو
dje Zarma|Zarma|الزرما|djerma
mos Mooré|Mooré|الموري|moore|mossi
kri Krio|Krio|الكريو
tw Twi|Twi|التوي|akan
pt Portuguese|Portugais|البرتغالية|por
"""


def _rows(table: str) -> Iterator[tuple[str, list[str]]]:
    for row in table.strip().splitlines():
        code, _, names = row.partition(" ")
        yield code, names.split("|")


COUNTRIES: Final[Mapping[str, Translation]] = {
    code: Translation(en, fr, ar, "|".join((ALPHA2[code], *also))) for code, (en, fr, ar, *also) in _rows(_COUNTRIES)
}
"""Countries by ISO 3166-1 alpha-3 code. ``also`` holds the alpha-2 code and the names of the country's people."""

LANGUAGE_NAMES: Final[Mapping[str, Translation]] = {
    code: Translation(en, fr, ar, "|".join(also)) for code, (en, fr, ar, *also) in _rows(_LANGUAGES)
}
"""Languages by the code that a case stores (ISO 639-1, or 639-3 where there is no shorter one)."""

DOCUMENT_NAMES: Final[Mapping[str, Translation]] = {
    TravelDocumentKind.PASSPORT: Translation("Passport", "Passeport", "جواز سفر"),
    TravelDocumentKind.LAISSEZ_PASSER: Translation(
        "Laissez-passer", "Laissez-passer", "جواز مرور", "lp|وثيقة عبور|وثيقة مرور"
    ),
    TravelDocumentKind.EMERGENCY_TRAVEL_CERTIFICATE: Translation(
        "Emergency travel certificate",
        "Titre de voyage d'urgence",
        "شهادة سفر طارئة",
        "etc|certificat de voyage d'urgence|وثيقة سفر طارئة",
    ),
    TravelDocumentKind.COLLECTIVE_LAISSEZ_PASSER: Translation(
        "Collective laissez-passer",
        "Laissez-passer collectif",
        "جواز مرور جماعي",
        "وثيقة عبور جماعية|وثيقة مرور جماعية",
    ),
    TravelDocumentKind.ICRC_TRAVEL_DOCUMENT: Translation(
        "ICRC travel document",
        "Titre de voyage du CICR",
        "وثيقة سفر من اللجنة الدولية للصليب الأحمر",
        "document de voyage du cicr|وثيقة سفر من الصليب الأحمر",
    ),
}


def country_name(alpha3: str, language: str = "en") -> str:
    """Returns the name of a country, or the code itself when the country is not in the table."""
    name = COUNTRIES.get(alpha3)
    return name.in_(language) if name else alpha3


def language_name(code: str, language: str = "en") -> str:
    """Returns the name of a language, or the code itself when the language is not in the table."""
    name = LANGUAGE_NAMES.get(code)
    return name.in_(language) if name else code

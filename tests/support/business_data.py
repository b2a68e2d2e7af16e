"""A made-up business directory in thirteen languages: believable rows, as many as asked for, always the same.

The text is what spreadsheets really hold: commas, quotes, line breaks, tabs, emoji, scripts that run right to
left, phone numbers with leading zeros, and text that looks like a formula, a NULL or the end of a COPY. No
cell begins or ends with white space; tab and line feed are the only control characters. Every network address
is under `.example`, which is reserved, so none can reach a real business. Most of this file is word lists.
"""

import datetime
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import NamedTuple, TypeVar

import xlsxwriter
from xlsxwriter.utility import xl_range

T = TypeVar("T")

HEADER = ("Name", "Category", "Phone", "Email", "Address", "City", "Country", "Website", "Description")

SEED = 10_000  # any number would do; another number is another directory
SHEET_NAME = "Sheet1"
MOST_ROWS = 1_048_575  # an Excel sheet has 1,048,576 rows and the header takes one

# Shares of rows in which an optional cell is blank; Name, Category, City and Country never are.
BLANK_PHONE = 0.04
BLANK_EMAIL = 0.10
BLANK_ADDRESS = 0.03
BLANK_WEBSITE = 0.30
BLANK_DESCRIPTION = 0.20
AWKWARD_DESCRIPTION = 0.02  # about 160 of 10,000 rows
BRANCH = 0.5  # names followed by street and number, as directories tell two houses of one name apart

COLUMN_WIDTHS = (
    34,
    20,
    20,
    34,
    44,
    16,
    18,
    36,
    60,
)  # in characters of the default font, as Excel counts them
CREATED = datetime.datetime(2024, 1, 1)  # fixed, or no two workbooks would be the same
HEADER_FILL = "#DDE6F0"

CATEGORIES = (
    "Bakery", "Café", "Pharmacy", "Bookshop", "Hairdresser", "Garage",
    "Florist", "Hotel", "Dental practice", "Bar, Grill & Lounge", "Law firm", "Bicycle repair",
)  # fmt: skip
CATEGORY_SLUGS = (
    "bakery", "cafe", "pharmacy", "books", "hair", "garage",
    "flowers", "hotel", "dental", "grill", "law", "bikes",
)  # fmt: skip
BRANCH_JOINTS = (", ", ", ", " – ", " / ", "; ", "\n")  # between a name and its street
MAILBOXES = ("info", "info", "hello", "contact", "office", "shop+orders", "no-reply")
JOINTS = (" ", " ", " ", " ", "\n", "\n\n", "\t")  # between the two halves of a description

AWKWARD_DESCRIPTIONS = (
    "=Best coffee in town",
    "=1+1",
    '=HYPERLINK("https://prize.example","You have won")',
    "+1 for the terrace",
    "-20% on Mondays",
    "@thecorner on every network",
    "NULL",
    "N/A",
    "n/a",
    "-",
    "TRUE",
    "007",
    "1e5",
    "2024-02-30",
    "\\N",
    "\\.",
    "C:\\new\\table\\notes.txt",
    "100% cotton; 50% off, 'today only'",
    '{"opens": "08:00", "closes": null}',
    "<b>Bold</b> &amp; <i>brave</i> <!-- not markup -->",
    "Robert'); DROP TABLE businesses;--",
    '"Quoted from end to end"',
    "'single'",
    "$1 $$2 %s %(name)s {0} :name ?",
    "Mon–Fri\t08:00–18:00\nSat\t09:00–13:00\nSun\tclosed",
    "👩‍🍳👨‍👩‍👧‍👦🏳️‍🌈 🇩🇪🇫🇷🇯🇵",
    "e\u0301 and é are not the same bytes",
    "𝒮𝒾𝑔𝓃 𝓅𝒶𝒾𝓃𝓉𝒾𝓃𝑔, 𠮷野家, 🧁",
)


class Place(NamedTuple):
    """A city, the country it is in, one of its postal codes and how to dial it from near and from far."""

    city: str
    country: str
    postcode: str
    area_code: str
    international: str


class Family(NamedTuple):
    """A family name as it is written and as it appears in a domain name."""

    name: str
    slug: str


@dataclass(frozen=True, slots=True)
class Language:
    """The words of one language; `trades` follow the order of `CATEGORIES`, templates are `str.format`'s."""

    places: Sequence[Place]
    streets: Sequence[str]
    families: Sequence[Family]
    trades: Sequence[str]
    names: Sequence[str]
    addresses: Sequence[str]
    openings: Sequence[str]
    closings: Sequence[str]
    phone_separator: str = " "


def _families(*lines: str) -> tuple[Family, ...]:
    """`"Weiß=weiss, Kern=kern"` as families."""
    return tuple(Family(*item.strip().split("=")) for line in lines for item in line.split(","))


def _words(*lines: str) -> tuple[str, ...]:
    """What stands between vertical bars."""
    return tuple(item.strip() for line in lines for item in line.split("|"))


ENGLISH = Language(
    places=(
        Place("London", "United Kingdom", "EC1A 1BB", "020", "44 20"),
        Place("Dublin", "Ireland", "D02 AF30", "01", "353 1"),
        Place("Boston", "United States", "02108", "617", "1 617"),
        Place("St. John's", "Canada", "A1C 5S7", "709", "1 709"),
        Place("Auckland", "New Zealand", "0610", "09", "64 9"),
        Place("Cape Town", "South Africa", "8001", "021", "27 21"),
    ),
    streets=_words(
        "High Street | Queen's Road | Mill Lane | King Street | Station Road | Harbour View",
        "St. Mary's Walk",
    ),
    families=_families(
        "O'Brien=obrien, Smith=smith, Taylor=taylor, McDonald=mcdonald, Walker=walker, Hughes=hughes",
        "Patel=patel, D'Arcy=darcy, Baker=baker, Okafor=okafor, Nguyen=nguyen, Campbell=campbell",
        "Fitz-Gerald=fitz-gerald",
    ),
    trades=_words(
        "Bakery | Coffee House | Pharmacy | Books | Barbers | Motors | Florist | Inn | Dental",
        "Bar & Grill | Solicitors | Cycles",
    ),
    names=(
        "{family}'s {trade}",
        "{family} & {other} {trade}",
        "{family}, {other} and Partners {trade}",
        'The "{family}" {trade}, {city}',
        "{family} {trade} No. {number}",
        "@{city} {trade} {number}",
    ),
    addresses=("{number} {street}, {city} {postcode}", "Unit {number}, {street}\n{city}\n{postcode}"),
    openings=(
        "A family-run place in {city}, open since 1987.",
        'Known in {city} as "the {trade} on the corner".',
        "Don't miss it: everything's made by hand, every day.",
        "Walk-ins welcome, dogs too 🐶.",
    ),
    closings=(
        "Open Mon–Fri, 9–5.",
        "Cash, card, or a song.",
        "Closed on bank holidays!",
        "5 ★★★★★ reviews",
        "☕🥐",
    ),
)

GERMAN = Language(
    places=(
        Place("Berlin", "Germany", "10115", "030", "49 30"),
        Place("Dresden", "Germany", "01067", "0351", "49 351"),
        Place("München", "Germany", "80331", "089", "49 89"),
        Place("Köln", "Germany", "50667", "0221", "49 221"),
        Place("Wien", "Austria", "1010", "01", "43 1"),
        Place("Zürich", "Switzerland", "8001", "044", "41 44"),
    ),
    streets=_words(
        "Hauptstraße | Goethestraße | Am Markt | Schloßallee | Bahnhofstraße | Lindenweg",
        "Platz der Republik",
    ),
    families=_families(
        "Müller=mueller, Weiß=weiss, Schröder=schroeder, Jäger=jaeger, Köhler=koehler, Groß=gross",
        "Fuchs=fuchs, Böhm=boehm, Krüger=krueger, Hübner=huebner, von der Heide=vonderheide",
        "Schäfer-Lang=schaefer-lang",
    ),
    trades=_words(
        "Bäckerei | Kaffeehaus | Apotheke | Buchhandlung | Friseursalon | Autowerkstatt | Blumenhaus",
        "Gasthof | Zahnarztpraxis | Grillstube | Rechtsanwälte | Fahrradladen",
    ),
    names=(
        "{trade} {family}",
        "{trade} {family} & Söhne, {city}",
        "{family} & {other} {trade} GmbH",
        "{trade} „Zum {family}“, Nr. {number}",
        "{trade} {family}-{other} e.K.",
    ),
    addresses=("{street} {number}, {postcode} {city}", "{street} {number}\n{postcode} {city}"),
    openings=(
        "Familienbetrieb in {city}, seit 1923 in vierter Generation.",
        "Ihre {trade} für Groß und Klein: schön, gut, günstig.",
        "Übrigens: Wir liefern auch nach außerhalb.",
        '"Einfach köstlich", schrieb die Zeitung.',
    ),
    closings=(
        "Montag Ruhetag.",
        "Parkplätze im Hof, Eingang über die Straße.",
        "Grüße, Ihr Team 😊",
        "Preise ab 3,50 €.",
    ),
    phone_separator="",
)

FRENCH = Language(
    places=(
        Place("Lyon", "France", "69001", "04 78", "33 478"),
        Place("Bourg-en-Bresse", "France", "01000", "04 74", "33 474"),
        Place("L'Haÿ-les-Roses", "France", "94240", "01 46", "33 146"),
        Place("Québec", "Canada", "G1R 4P5", "418", "1 418"),
        Place("Abidjan", "Côte d'Ivoire", "01 BP 1838", "27", "225 27"),
        Place("Liège", "Belgium", "4000", "04", "32 4"),
    ),
    streets=_words(
        "rue de l'Église | avenue Victor-Hugo | place d'Armes | chemin des Prés | rue Hébert",
        "quai du Rhône",
    ),
    families=_families(
        "Lefèvre=lefevre, D'Aubigné=daubigne, Garçon=garcon, Côté=cote, Œuvrard=oeuvrard, Noël=noel",
        "Béranger=beranger, L'Hôpital=lhopital, Traoré=traore, Dupré=dupre",
        "Saint-Exupère=saint-exupere, Haÿ=hay",
    ),
    trades=_words(
        "Boulangerie | Café | Pharmacie | Librairie | Salon de coiffure | Garage | Fleuriste | Hôtel",
        "Cabinet dentaire | Brasserie | Cabinet d'avocats | Atelier vélo",
    ),
    names=(
        "{trade} {family}",
        "{trade} {family} & Fils, {city}",
        "{trade} « {family} et {other} »",
        "Chez {family}, {trade} n° {number}",
        "{family}-{other} {trade} S.à r.l.",
    ),
    addresses=("{number}, {street}, {postcode} {city}", "{number} bis {street}\n{postcode} {city}"),
    openings=(
        "Chez nous, l'accueil est chaleureux\u202f!",
        "Une adresse incontournable à {city}, près de l'hôtel de ville.",
        "Maison fondée en 1899 : qualité, fraîcheur, goût.",
        '"Le cœur du quartier", d\'après nos clients.',
    ),
    closings=(
        "Fermé le lundi.",
        "Ouvert d'août à décembre, midi et soir.",
        "Carte bancaire dès 10\xa0€.",
        "À bientôt ! 🥖",
    ),
)

SPANISH = Language(
    places=(
        Place("Málaga", "Spain", "29001", "952", "34 952"),
        Place("Vitoria-Gasteiz", "Spain", "01001", "945", "34 945"),
        Place("A Coruña", "Spain", "15001", "981", "34 981"),
        Place("Ciudad de México", "Mexico", "06000", "55", "52 55"),
        Place("Bogotá, D.C.", "Colombia", "110111", "601", "57 601"),
    ),
    streets=_words(
        "Calle Mayor | Avenida de la Constitución | Plaza de España | Calle del Niño | Paseo Marítimo",
    ),
    families=_families(
        "Muñoz=munoz, Ibáñez=ibanez, Peña=pena, Núñez=nunez, García=garcia, Agüero=aguero",
        "Rodríguez=rodriguez, Íñiguez=iniguez, Vélez=velez, Ordóñez=ordonez, de la Cruz=delacruz",
    ),
    trades=_words(
        "Panadería | Cafetería | Farmacia | Librería | Peluquería | Taller | Floristería | Hostal",
        "Clínica dental | Asador | Abogados | Bicicletas",
    ),
    names=(
        "{trade} {family}",
        "{trade} {family} y {other}, S.L.",
        "{trade} «{family}» de {city}",
        "{trade} Hermanos {family} n.º {number}",
    ),
    addresses=("{street}, {number}, {postcode} {city}", "{street}, {number}, 2.º izq.\n{postcode} {city}"),
    openings=(
        "¡Bienvenidos! Le atendemos desde 1954.",
        "¿Busca calidad, rapidez y buen precio en {city}?",
        "La mejor {trade} del barrio, según 'El Diario'.",
    ),
    closings=(
        "Cerramos los domingos.",
        "Menú del día: 12,50 €.",
        "¡Le esperamos, señoras y señores! 💃",
        "Abrimos mañana.",
    ),
)

POLISH = Language(
    places=(
        Place("Łódź", "Poland", "90-001", "42", "48 42"),
        Place("Warszawa", "Poland", "00-001", "22", "48 22"),
        Place("Kraków", "Poland", "30-001", "12", "48 12"),
        Place("Gdańsk", "Poland", "80-001", "58", "48 58"),
    ),
    streets=_words(
        "ul. Piotrkowska | ul. Świętego Ducha | al. Jerozolimskie | pl. Żwirki i Wigury",
        "ul. Źródlana",
    ),
    families=_families(
        "Wiśniewski=wisniewski, Dąbrowska=dabrowska, Wójcik=wojcik, Żak=zak, Śliwa=sliwa",
        "Gęślicki=geslicki, Łęcki=lecki, Król=krol, Ćwik=cwik",
        "Brzęczyszczykiewicz=brzeczyszczykiewicz",
    ),
    trades=_words(
        "Piekarnia | Kawiarnia | Apteka | Księgarnia | Fryzjer | Warsztat | Kwiaciarnia | Zajazd",
        "Gabinet dentystyczny | Karczma | Kancelaria | Rowery",
    ),
    names=(
        "{trade} {family}",
        "{trade} {family} i Synowie, {city}",
        "{trade} „{family} i {other}”",
        "{trade} {family} sp. z o.o. nr {number}",
    ),
    addresses=("{street} {number}, {postcode} {city}", "{street} {number} m. 3\n{postcode} {city}"),
    openings=(
        "Rodzinna firma z tradycjami, {city}.",
        "Zażółć gęślą jaźń: u nas także w niedzielę!",
        "Świeżo, smacznie, 'jak u babci'.",
    ),
    closings=("Zapraszamy codziennie.", "Ceny od 9,99 zł.", "Święta: nieczynne.", "Do zobaczenia 👋"),
)

GREEK = Language(
    places=(
        Place("Αθήνα", "Greece", "105 57", "210", "30 210"),
        Place("Θεσσαλονίκη", "Greece", "546 24", "2310", "30 2310"),
        Place("Λευκωσία", "Cyprus", "1010", "22", "357 22"),
    ),
    streets=_words("Ερμού | Πανεπιστημίου | Αγίου Νικολάου | Λεωφόρος Νίκης | Εθνικής Αντιστάσεως"),
    families=_families(
        "Παπαδόπουλος=papadopoulos, Γεωργίου=georgiou, Οικονόμου=oikonomou, Βασιλείου=vasileiou",
        "Ψαράς=psaras, Χατζής=chatzis, Ξενάκης=xenakis, Ζαχαρίας=zacharias",
    ),
    trades=_words(
        "Αρτοποιείο | Καφενείο | Φαρμακείο | Βιβλιοπωλείο | Κομμωτήριο | Συνεργείο | Ανθοπωλείο",
        "Ξενοδοχείο | Οδοντιατρείο | Ψησταριά | Δικηγόροι | Ποδήλατα",
    ),
    names=(
        "{trade} {family}",
        "{trade} {family} & {other}",
        "{trade} «{family}», {city}",
        "{family} {trade} Α.Ε. {number}",
    ),
    addresses=("{street} {number}, {postcode} {city}", "{street} {number}\n{postcode} {city}"),
    openings=(
        "Οικογενειακή επιχείρηση στην πόλη: {city}.",
        "Καλώς ήρθατε! Τι θα πάρετε;",
        "Ποιότητα, μεράκι, χαμόγελο.",
    ),
    closings=("Ανοιχτά κάθε μέρα.", "Κυριακή κλειστά.", "Τιμές από 2,50 €.", "Σας περιμένουμε ☀️"),
)

RUSSIAN = Language(
    places=(
        Place("Алматы", "Kazakhstan", "050000", "8 727", "7 727"),
        Place("Бишкек", "Kyrgyzstan", "720001", "0312", "996 312"),
        Place("Москва", "Russia", "101000", "8 495", "7 495"),
        Place("Рига", "Latvia", "LV-1050", "67", "371 67"),
    ),
    streets=_words("ул. Пушкина | пр. Мира | Садовая ул. | ул. Чехова | Набережная | пер. Тихий"),
    families=_families(
        "Иванов=ivanov, Смирнова=smirnova, Щукин=shchukin, Ёлкина=yolkina, Цветков=tsvetkov",
        "Объедков=obedkov, Жукова=zhukova, Эйнгорн=eingorn, Юсупов=yusupov",
    ),
    trades=_words(
        "Пекарня | Кофейня | Аптека | Книжный магазин | Парикмахерская | Автосервис | Цветы",
        "Гостиница | Стоматология | Шашлычная | Адвокатское бюро | Велосипеды",
    ),
    names=(
        "{trade} «{family}»",
        "{trade} {family} и {other}",
        'ООО "{family}", {trade} № {number}',
        "{trade} {family}, {city}",
    ),
    addresses=("{postcode}, {city}, {street}, д. {number}", "{street}, д. {number}\n{city}, {postcode}"),
    openings=(
        "Всё лучшее, сразу и рядом: {city}.",
        "Работаем с 1991 года, без выходных.",
        "Съешь ещё этих мягких булок!",
    ),
    closings=("Ждём вас.", "Доставка бесплатно, от 500.", "Вход со двора.", "Спасибо, что вы с нами ❤️"),
    phone_separator="-",
)

ARABIC = Language(
    places=(
        Place("القاهرة", "Egypt", "11511", "02", "20 2"),
        Place("عمّان", "Jordan", "11118", "06", "962 6"),
        Place("الدار البيضاء", "Morocco", "20000", "0522", "212 522"),
        Place("بيروت", "Lebanon", "1107", "01", "961 1"),
    ),
    streets=_words("شارع النيل | شارع الحمراء | طريق المطار | شارع الملك حسين | ساحة الحرية"),
    families=_families(
        "الخطيب=alkhatib, حدّاد=haddad, منصور=mansour, العلي=alali, نجّار=najjar, السيّد=elsayed",
        "بن يوسف=benyoussef, القاسم=alqasim",
    ),
    trades=_words(
        "مخبز | مقهى | صيدلية | مكتبة | صالون | كراج | أزهار | فندق | عيادة أسنان | مشاوي | محاماة",
        "دراجات",
    ),
    names=(
        "{trade} {family}",
        "{trade} {family} و{other}",
        "{trade} {family} ({city})",
        "شركة {family} وأولاده، {trade} {number}",
    ),
    addresses=("{street} {number}، {city} {postcode}", "{street}، بناء {number}\n{city} {postcode}"),
    openings=("أهلاً وسهلاً بكم في {city}!", "خدمة عائلية منذ عام ١٩٧٥.", "الجودة أولاً، والسعر مناسب."),
    closings=("مفتوح يومياً.", "التوصيل مجاني، اتصل الآن.", "WiFi مجاني", "نرحب بكم 🌙"),
)

HEBREW = Language(
    places=(
        Place("תל אביב-יפו", "Israel", "6100001", "03", "972 3"),
        Place("ירושלים", "Israel", "9100001", "02", "972 2"),
        Place("חיפה", "Israel", "3100001", "04", "972 4"),
    ),
    streets=_words("רחוב הרצל | שדרות רוטשילד | רחוב יפו | דרך הים | רחוב ז'בוטינסקי"),
    families=_families(
        "כהן=cohen, לוי=levi, מזרחי=mizrahi, פרץ=peretz, ביטון=biton, צ'רני=cherny, שפירא=shapira",
    ),
    trades=_words(
        "מאפייה | בית קפה | בית מרקחת | ספרים | מספרה | מוסך | פרחים | מלון | מרפאת שיניים | גריל",
        "עורכי דין | אופניים",
    ),
    names=(
        "{trade} {family}",
        "{trade} {family} את {other}",
        '{trade} {family} בע"מ',
        '{trade} "{family}" {city} {number}',
    ),
    addresses=("{street} {number}, {city} {postcode}", "{street} {number}\n{city}, {postcode}"),
    openings=("עסק משפחתי בעיר {city}.", "ברוכים הבאים, שלום לכולם!", 'צה"ל, סטודנטים וגמלאים: 10% הנחה.'),
    closings=("סגור בשבת.", "חניה חינם, כניסה מהחצר.", "Free WiFi בכל המקום", "להתראות 🕊️"),
    phone_separator="-",
)

JAPANESE = Language(
    places=(
        Place("東京", "Japan", "〒100-0001", "03", "81 3"),
        Place("京都", "Japan", "〒600-8001", "075", "81 75"),
        Place("札幌", "Japan", "〒060-0001", "011", "81 11"),
    ),
    streets=_words("中央区銀座 | 中京区河原町通 | 北区大通西 | 港区赤坂 | 下京区四条通"),
    families=_families(
        "佐藤=sato, 鈴木=suzuki, 髙橋=takahashi, 渡邊=watanabe, 齋藤=saito, 小野=ono, 山﨑=yamazaki",
        "さくら=sakura, 𠮷田=yoshida, ツジ=tsuji",
    ),
    trades=_words(
        "ベーカリー | 喫茶店 | 薬局 | 書店 | 美容室 | 自動車整備 | 生花店 | 旅館 | 歯科医院 | 焼鳥屋",
        "法律事務所 | 自転車店",
    ),
    names=(
        "{family}{trade}",
        "{trade}「{family}」",
        "株式会社{family}・{other}{trade}",
        "{family}{trade} {city}{number}号店",
    ),
    addresses=("{postcode} {city} {street}{number}番地", "{postcode}\n{city} {street}{number}-2"),
    openings=(
        "創業明治三十年、{city}の老舗です。",
        "いらっしゃいませ!お気軽にどうぞ。",
        "手作り、地元産、無添加。",
    ),
    closings=("年中無休。", "毎週水曜日定休(祝日は営業)。", "ランチ¥980~", "お待ちしております🙇"),
    phone_separator="-",
)

CHINESE = Language(
    places=(
        Place("上海", "China", "200001", "021", "86 21"),
        Place("北京", "China", "100006", "010", "86 10"),
        Place("臺北", "Taiwan", "100", "02", "886 2"),
        Place("新加坡", "Singapore", "018956", "6", "65 6"),
    ),
    streets=_words("南京东路 | 长安街 | 忠孝東路 | 中山路 | 人民大道"),
    families=_families(
        "王=wang, 李=li, 张=zhang, 陳=chen, 欧阳=ouyang, 龍=long, 福满=fuman, 吉祥=jixiang",
        "金玉=jinyu",
    ),
    trades=_words(
        "面包店 | 咖啡馆 | 药房 | 书店 | 理发店 | 汽修厂 | 花店 | 酒店 | 牙医 | 烧烤吧 | 律师事务所",
        "自行车行",
    ),
    names=(
        "{family}记{trade}",
        "{city}{family}{other}{trade}",
        "“{family}”{trade}({number}号)",
        "{family}氏{trade}有限公司",
    ),
    addresses=("{city}{street}{number}号,邮编{postcode}", "{city}{street}{number}号\n{postcode}"),
    openings=("百年老店,就在{city}。", "欢迎光临!价格公道,童叟无欺。", "新鲜、健康、好吃。"),
    closings=("每天营业。", "免费停车,欢迎预订。", "满100减20", "谢谢惠顾🧧"),
    phone_separator="-",
)

KOREAN = Language(
    places=(
        Place("서울", "South Korea", "03000", "02", "82 2"),
        Place("부산", "South Korea", "48900", "051", "82 51"),
        Place("제주", "South Korea", "63100", "064", "82 64"),
    ),
    streets=_words("종로 | 강남대로 | 해운대로 | 세종대로 | 중앙로"),
    families=_families(
        "김=kim, 이=lee, 박=park, 최=choi, 정=jung, 황보=hwangbo, 한솔=hansol, 미소=miso, 하늘=haneul",
    ),
    trades=_words(
        "빵집 | 커피숍 | 약국 | 서점 | 미용실 | 정비소 | 꽃집 | 호텔 | 치과 | 고깃집 | 법률사무소",
        "자전거",
    ),
    names=(
        "{family} {trade}",
        "{city} {family}네 {trade}",
        "(주){family}{other} {trade}",
        "{family} {trade} {number}호점",
    ),
    addresses=("{city} {street} {number} (우 {postcode})", "{city} {street} {number}, 2층\n{postcode}"),
    openings=(
        "{city}에서 가장 오래된 가게입니다.",
        "어서 오세요! 정성껏 모시겠습니다.",
        "신선한 재료, '착한' 가격.",
    ),
    closings=("연중무휴.", "주차 가능, 예약 필수.", "매주 월요일 휴무", "감사합니다 😄"),
    phone_separator="-",
)

HINDI = Language(
    places=(
        Place("दिल्ली", "India", "110001", "011", "91 11"),
        Place("मुंबई", "India", "400001", "022", "91 22"),
        Place("वाराणसी", "India", "221001", "0542", "91 542"),
    ),
    streets=_words("महात्मा गांधी मार्ग | स्टेशन रोड | चाँदनी चौक | नेहरू नगर | घाट मार्ग"),
    families=_families(
        "शर्मा=sharma, गुप्ता=gupta, सिंह=singh, वर्मा=verma, मिश्रा=mishra, ज़ैदी=zaidi",
        "त्रिपाठी=tripathi",
    ),
    trades=_words(
        "बेकरी | कॉफ़ी हाउस | दवाखाना | पुस्तक भंडार | सैलून | गैराज | फूलवाला | होटल",
        "दंत चिकित्सालय | ढाबा | अधिवक्ता | साइकिल",
    ),
    names=(
        "{family} {trade}",
        "{family} एंड {other} {trade}",
        "श्री {family} {trade}, {city}",
        "न्यू {family} {trade} {number}",
    ),
    addresses=("{number}, {street}, {city} - {postcode}", "{number}/2, {street}\n{city} - {postcode}"),
    openings=("{city} की सबसे पुरानी दुकान।", "आपका स्वागत है, पधारिए!", "शुद्ध, ताज़ा, 'घर जैसा' स्वाद।"),
    closings=("रोज़ खुला।", "मुफ़्त डिलीवरी, ₹200 से ऊपर।", "रविवार बंद", "धन्यवाद 🙏"),
)

LANGUAGES = (
    ENGLISH, GERMAN, FRENCH, SPANISH, POLISH, GREEK, RUSSIAN,
    ARABIC, HEBREW, JAPANESE, CHINESE, KOREAN, HINDI,
)  # fmt: skip


def business_rows(count: int, *, seed: int = SEED) -> Iterator[tuple[str, ...]]:
    """Yield `count` rows in the order of `HEADER`; a blank cell is ''. A longer run begins with a shorter."""
    # Only `random()` is promised to give the same sequence in every version of Python; all is built on it.
    random = Random(seed).random
    for _ in range(count):
        language = _pick(LANGUAGES, random)
        place = _pick(language.places, random)
        families = language.families
        member = int(random() * len(families))
        family = families[member]
        other = families[member - 1 - int(random() * (len(families) - 1))]  # never the same as `family`
        kind = int(random() * len(CATEGORIES))
        trade = language.trades[kind]
        number = 1 + int(random() * 250)
        name = _pick(language.names, random).format(
            family=family.name,
            other=other.name,
            trade=trade,
            city=place.city,
            number=number,
        )
        street = _pick(language.streets, random)
        if random() < BRANCH:
            name = f"{name}{_pick(BRANCH_JOINTS, random)}{street} {number}"
        domain = f"{family.slug}-{CATEGORY_SLUGS[kind]}{number}.example"
        email = "" if random() < BLANK_EMAIL else f"{_pick(MAILBOXES, random)}@{domain}"
        website = "" if random() < BLANK_WEBSITE else f"https://www.{domain}/"
        phone = "" if random() < BLANK_PHONE else _phone(place, language.phone_separator, random)
        address = ""
        if random() >= BLANK_ADDRESS:
            address = _pick(language.addresses, random).format(
                street=street, number=number, city=place.city, postcode=place.postcode
            )
        description = ""
        if random() >= BLANK_DESCRIPTION:
            description = _description(language, trade, place.city, random)
        yield name, CATEGORIES[kind], phone, email, address, place.city, place.country, website, description


def write_workbook(
    path: Path, rows: Iterable[Sequence[str]], *, header: Sequence[str] = HEADER, inline_strings: bool = False
) -> None:
    """Write `rows` as text under a header row on `Sheet1`; '' leaves a cell out.

    Text goes into the shared string table, as Excel's own does. `inline_strings` keeps it in the cells:
    that needs no memory per row, and is another kind of file for readers to be measured on.
    """
    with xlsxwriter.Workbook(path, {"constant_memory": inline_strings}) as workbook:
        workbook.set_properties({"title": "Business directory", "created": CREATED})
        sheet = workbook.add_worksheet(SHEET_NAME)
        bold = workbook.add_format({"bold": True, "bg_color": HEADER_FILL, "bottom": 1})
        # Number format "Text": a phone keeps its zeros and '=1+1' stays text when somebody edits the cell.
        text = workbook.add_format({"num_format": "@"})
        for column, (title, width) in enumerate(zip(header, COLUMN_WIDTHS, strict=True)):
            sheet.set_column(column, column, width)
            sheet.write_string(0, column, title, bold)
        sheet.freeze_panes(1, 0)
        last_row = 0
        for last_row, row in enumerate(rows, 1):
            if last_row > MOST_ROWS:
                message = f"{path}: a sheet holds at most {MOST_ROWS:,} rows under its header"
                raise ValueError(message)
            for column, value in enumerate(row):
                if value:
                    sheet.write_string(last_row, column, value, text)
        last_column = len(header) - 1
        sheet.autofilter(0, 0, last_row, last_column)
        # Without this Excel marks every phone number made of digits alone with a green corner.
        sheet.ignore_errors({"number_stored_as_text": xl_range(0, 0, last_row, last_column)})


def _pick(pool: Sequence[T], random: Callable[[], float]) -> T:
    return pool[int(random() * len(pool))]


def _phone(place: Place, separator: str, random: Callable[[], float]) -> str:
    """A local number, or an international one that begins with '+' or with '00'."""
    digits = f"{int(random() * 10_000_000):07d}"
    style = random()
    if style < 0.1:
        return f"0{digits}{digits[:2]}"  # digits only: a number to anyone who does not look twice
    if style < 0.55:
        prefix = place.area_code
    else:
        prefix = f"+{place.international}" if style < 0.85 else f"00{place.international}"
    return f"{prefix} {digits[:3]}{separator}{digits[3:]}"


def _description(language: Language, trade: str, city: str, random: Callable[[], float]) -> str:
    if random() < AWKWARD_DESCRIPTION:
        return _pick(AWKWARD_DESCRIPTIONS, random)
    opening = _pick(language.openings, random).format(trade=trade, city=city)
    return f"{opening}{_pick(JOINTS, random)}{_pick(language.closings, random)}"
